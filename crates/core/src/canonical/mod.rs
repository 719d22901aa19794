//! Decides how a JSON text is written when only its value counts: RFC 8785, except that no number is rounded. Two texts
//! have the same canonical form only when they mean the same value; what has more than one meaning, or none, has no form.
//!
//! In reading order:

mod form;
pub use form::canonical;

mod number;

mod scan;
pub use scan::BadJson;

#[cfg(test)]
mod tests;
