//! The contract of jobs as scripts: each line is a request and what is answered to it, fields that are not named in
//! the line included. Played against the real binary with each kind of store, with and without the preset of the
//! original, with keys and without.

mod script;

mod admin;
mod callers;
mod extensions;
mod limits;
mod refusals;
mod runners;

mod client_kinds;

use script::{Line, Stage};

use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::need;

/// What is different between two services that keep the contract.
type Settings = &'static [(&'static str, &'static str)];

const KEYS: Settings = &[
    ("SUBMIT_API_KEY", script::SUBMIT_KEY),
    ("RUNNER_API_KEY", script::RUNNER_KEY),
    ("ADMIN_API_KEY", script::ADMIN_KEY),
];

/// Without the original's rates, which are for callers that do less than a script does.
const PRESET: Settings = &[
    ("PILOTLIGHT_JOBS_PRESET", "runpack"),
    ("PILOTLIGHT_JOBS_LIMITS_SUBMIT_PER_MINUTE", "0"),
    ("PILOTLIGHT_JOBS_LIMITS_CHECK_PER_MINUTE", "0"),
    ("PILOTLIGHT_JOBS_LIMITS_STATUS_PER_MINUTE", "0"),
    ("PILOTLIGHT_JOBS_LIMITS_AVAILABLE_PER_MINUTE", "0"),
    ("PILOTLIGHT_JOBS_LIMITS_HEARTBEAT_PER_MINUTE", "0"),
];

/// Plays a script on each stage, over an empty store each.
fn on_all_stages(script: fn() -> Vec<Line>, store: impl Fn() -> JobStore) {
    for settings in [&[][..], PRESET, KEYS] {
        let store = store();
        Stage::new(&store, settings).play(script());
    }
}

/// Each script is a test over each kind of store.
macro_rules! plays {
    ($($name:ident: $script:path,)+) => {
        mod over_sqlite {
            use super::*;

            $(#[test]
            fn $name() {
                on_all_stages($script, JobStore::sqlite);
            })+
        }

        mod over_postgres {
            use super::*;

            $(#[test]
            fn $name() {
                need!("postgresql");
                let store = JobStore::postgres();
                on_all_stages($script, || store.another());
            })+
        }
    };
}

plays! {
    callers_hear_what_the_contract_says: callers::script,
    runners_hear_what_the_contract_says: runners::script,
    operators_hear_what_the_contract_says: admin::script,
    what_is_wrong_is_refused_with_a_sentence_that_names_it: refusals::script,
    what_is_too_large_is_refused_and_what_just_fits_is_taken: limits::script,
    what_is_ours_changes_nothing_of_the_rest: extensions::script,
}

#[test]
fn the_scripts_are_long_enough_to_be_believed() {
    let scripts = [
        callers::script(),
        runners::script(),
        admin::script(),
        refusals::script(),
        limits::script(),
        extensions::script(),
    ];
    let lines: usize = scripts.iter().map(Vec::len).sum();
    assert!(lines >= 80, "{lines}");
}
