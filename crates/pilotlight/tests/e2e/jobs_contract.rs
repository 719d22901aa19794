//! The contract of jobs as scripts: each line is a request and what is answered to it, fields that are not named in
//! the line included. Played against the real binary with each kind of store, with and without the preset of the
//! original, with keys and without.

mod play;

mod admin;
mod callers;
mod limits;
mod ours;
mod refusals;
mod runners;

mod together;

use play::{Line, Stage};

/// What is different between two services that keep the contract.
type Settings = &'static [(&'static str, &'static str)];

/// The stores. The one that needs no settings comes first.
const STORES: &[Settings] = &[&[]];

const KEYS: Settings = &[
    ("SUBMIT_API_KEY", play::SUBMIT_KEY),
    ("RUNNER_API_KEY", play::RUNNER_KEY),
    ("ADMIN_API_KEY", play::ADMIN_KEY),
];

const PRESET: Settings = &[("PILOTLIGHT_JOBS_PRESET", "runpack")];

/// Plays a script on each stage.
fn on_all_stages(script: fn() -> Vec<Line>) {
    for store in STORES {
        for settings in [&[][..], PRESET, KEYS] {
            Stage::new(&[*store, settings].concat()).play(script());
        }
    }
}

#[test]
fn callers_hear_what_the_contract_says() {
    on_all_stages(callers::script);
}

#[test]
fn runners_hear_what_the_contract_says() {
    on_all_stages(runners::script);
}

#[test]
fn operators_hear_what_the_contract_says() {
    on_all_stages(admin::script);
}

#[test]
fn what_is_wrong_is_refused_with_a_sentence_that_names_it() {
    on_all_stages(refusals::script);
}

#[test]
fn what_is_too_large_is_refused_and_what_just_fits_is_taken() {
    on_all_stages(limits::script);
}

#[test]
fn what_is_ours_changes_nothing_of_the_rest() {
    on_all_stages(ours::script);
}

#[test]
fn the_scripts_are_long_enough_to_be_believed() {
    let scripts = [
        callers::script(),
        runners::script(),
        admin::script(),
        refusals::script(),
        limits::script(),
        ours::script(),
    ];
    let lines: usize = scripts.iter().map(Vec::len).sum();
    assert!(lines >= 80, "{lines}");
}
