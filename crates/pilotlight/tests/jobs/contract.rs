//! The contract of the jobs API as scripts. Each step of a script is a request and its expected response. The response
//! must have exactly the fields that the step names. The scripts run against the real binary with each kind of store:
//! with default settings, with the preset `runpack`, and with API keys.

mod script;

mod admin;
mod callers;
mod extensions;
mod limits;
mod refusals;
mod runners;

mod concurrent_clients;

use script::{ScriptPlayer, Step};

use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::need;

/// Settings with which a service must follow the contract.
type Settings = &'static [(&'static str, &'static str)];

const KEYS: Settings = &[
    ("SUBMIT_API_KEY", script::SUBMIT_KEY),
    ("RUNNER_API_KEY", script::RUNNER_KEY),
    ("ADMIN_API_KEY", script::ADMIN_KEY),
];

/// The preset without its rate limits, because a script sends more requests than they allow.
const PRESET: Settings = &[
    ("PILOTLIGHT_JOBS_PRESET", "runpack"),
    ("PILOTLIGHT_JOBS_LIMITS_SUBMIT_PER_MINUTE", "0"),
    ("PILOTLIGHT_JOBS_LIMITS_CHECK_PER_MINUTE", "0"),
    ("PILOTLIGHT_JOBS_LIMITS_STATUS_PER_MINUTE", "0"),
    ("PILOTLIGHT_JOBS_LIMITS_AVAILABLE_PER_MINUTE", "0"),
    ("PILOTLIGHT_JOBS_LIMITS_HEARTBEAT_PER_MINUTE", "0"),
];

/// Plays a script once with each of the settings, each time with an empty store.
fn play_with_all_settings(script: fn() -> Vec<Step>, store: impl Fn() -> JobStore) {
    for settings in [&[][..], PRESET, KEYS] {
        let store = store();
        ScriptPlayer::new(&store, settings).play(script());
    }
}

/// Makes one test of each script for each kind of store.
macro_rules! contract_tests {
    ($($name:ident: $script:path,)+) => {
        mod sqlite {
            use super::*;

            $(#[test]
            fn $name() {
                play_with_all_settings($script, JobStore::sqlite);
            })+
        }

        mod postgres {
            use super::*;

            $(#[test]
            fn $name() {
                need!("postgresql");
                let store = JobStore::postgres();
                play_with_all_settings($script, || store.another());
            })+
        }
    };
}

contract_tests! {
    caller_endpoints_follow_the_contract: callers::script,
    runner_endpoints_follow_the_contract: runners::script,
    admin_endpoints_follow_the_contract: admin::script,
    an_invalid_request_is_refused_and_the_error_names_the_fault: refusals::script,
    a_field_at_its_size_limit_is_accepted_and_one_byte_more_is_refused: limits::script,
    extensions_of_the_contract_respond_as_documented: extensions::script,
}

#[test]
fn the_scripts_have_at_least_80_steps() {
    let scripts = [
        callers::script(),
        runners::script(),
        admin::script(),
        refusals::script(),
        limits::script(),
        extensions::script(),
    ];
    let steps: usize = scripts.iter().map(Vec::len).sum();
    assert!(steps >= 80, "{steps}");
}
