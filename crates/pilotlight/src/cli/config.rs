//! `pilotlight config`: prints the settings in force; and loading them for the other commands.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the answer goes to stdout, mistakes to stderr"
)]

use super::command::{Failure, Settings};
use crate::config::{self, Loaded};

pub(super) fn run(settings: &Settings, json: bool) -> Result<(), Failure> {
    let loaded = load(settings)?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    if json {
        println!("{:#}", loaded.resolved.to_json());
    } else {
        print!("{}", loaded.resolved);
    }
    Ok(())
}

pub(super) fn load(settings: &Settings) -> Result<Loaded, Failure> {
    config::load(settings.config.as_deref(), std::env::vars_os()).map_err(|mistakes| {
        eprintln!("pilotlight: failed to {mistakes}");
        Failure::Config
    })
}
