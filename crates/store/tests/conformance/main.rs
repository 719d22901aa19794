//! One suite for every kind of store: each case is a function over a [`stage::Stage`], and becomes one test per kind.
//! A new kind implements [`backend::Backend`] and gets one line at the end of this file.

mod backend;
mod stage;

mod submit;

/// Every case there is, by its module. `$with` is a macro that makes tests of them.
macro_rules! every_case {
    ($with:ident, $backend:ty) => {
        $with! { $backend;
            submit {
                a_submission_becomes_a_job
                an_equal_submission_joins_the_one_under_way
            }
        }
    };
}

/// One test for each case, on one kind of store.
macro_rules! tests {
    ($backend:ty; $($module:ident { $($case:ident)* })*) => {
        $(mod $module {
            $(#[test]
            fn $case() {
                crate::stage::play::<$backend, _>(crate::$module::$case);
            })*
        })*
    };
}

mod sqlite {
    every_case!(tests, crate::backend::sqlite::Sqlite);
}
