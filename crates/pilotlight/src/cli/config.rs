//! `pilotlight config`: prints every setting with its origin. Also loads the configuration for the other commands.
#![allow(clippy::print_stderr, reason = "errors go to stderr")]

use super::command::{ConfigArgs, Failure};
use super::exit_code::Code;
use super::output;
use pilotlight_server::config::{self, Loaded};

pub(super) fn run(config_args: &ConfigArgs, json: bool) -> Result<(), Failure> {
    let loaded = load(config_args)?;
    for warning in &loaded.warnings {
        output::note(format_args!("warning: {warning}"));
    }
    if json {
        output::line(format_args!("{:#}", loaded.resolved.to_json()))
    } else {
        output::write(&loaded.resolved.to_string())
    }
}

pub(super) fn load(config_args: &ConfigArgs) -> Result<Loaded, Failure> {
    let loaded = config::load(config_args.config.as_deref(), std::env::vars_os());
    loaded.map_err(|errors| Failure::report(Code::Usage, format_args!("failed to {errors}")))
}
