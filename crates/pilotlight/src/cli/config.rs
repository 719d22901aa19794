//! `pilotlight config`: prints every setting with its origin. Also loads the configuration for the other commands.
#![allow(clippy::print_stderr, reason = "errors go to stderr")]

use std::path::PathBuf;

use pilotlight_server::config::{self, Loaded};

use super::exit_code::Code;
use super::failure::Failure;
use super::{messages, output};

/// The options of every command that reads the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigArgs {
    /// The configuration file (TOML), also given by PILOTLIGHT_CONFIG. Environment variables override it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(config_args: &ConfigArgs, json: bool) -> Result<(), Failure> {
    let loaded = load(config_args)?;
    for warning in &loaded.warnings {
        messages::note(format_args!("warning: {warning}"));
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
