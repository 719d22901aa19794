//! `pilotlight config`: prints the settings in force; and loading them for the other commands.
#![allow(clippy::print_stderr, reason = "mistakes go to stderr")]

use super::command::{Failure, Settings};
use super::out;
use crate::config::{self, Loaded};

pub(super) fn run(settings: &Settings, json: bool) -> Result<(), Failure> {
    let loaded = load(settings)?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    if json {
        out::line(format_args!("{:#}", loaded.resolved.to_json()))
    } else {
        out::piece(&loaded.resolved.to_string())
    }
}

pub(super) fn load(settings: &Settings) -> Result<Loaded, Failure> {
    config::load(settings.config.as_deref(), std::env::vars_os()).map_err(|mistakes| {
        eprintln!("pilotlight: failed to {mistakes}");
        Failure::Config
    })
}
