//! `pilotlight config`: prints the settings in force; and loading them for the other commands.
#![allow(clippy::print_stderr, reason = "mistakes go to stderr")]

use super::command::{Failure, Settings};
use super::exit_code::Code;
use super::out;
use crate::config::{self, Loaded};

pub(super) fn run(settings: &Settings, json: bool) -> Result<(), Failure> {
    let loaded = load(settings)?;
    for warning in &loaded.warnings {
        out::note(format_args!("warning: {warning}"));
    }
    if json {
        out::line(format_args!("{:#}", loaded.resolved.to_json()))
    } else {
        out::piece(&loaded.resolved.to_string())
    }
}

pub(super) fn load(settings: &Settings) -> Result<Loaded, Failure> {
    let loaded = config::load(settings.config.as_deref(), std::env::vars_os());
    loaded.map_err(|mistakes| Failure::told(Code::Usage, format_args!("failed to {mistakes}")))
}
