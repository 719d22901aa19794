//! Parses the command line and runs the command. `failure` maps a command's outcome to the exit code of the process.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{CommandFactory, Parser, Subcommand};
use pilotlight_runner::reaper;
use pilotlight_server::CAPABILITIES;

use super::config::ConfigArgs;
use super::failure::{Failure, finish};
use super::{completions, config, demo, explain, health, jobs, runner, serve, status, store, submit};

/// Keeps work from ever starting cold.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The names that `--only` takes.
fn capability_names() -> PossibleValuesParser {
    let values = CAPABILITIES.iter().map(|builder| PossibleValue::new(builder.name).help(builder.summary));
    PossibleValuesParser::new(values.collect::<Vec<_>>())
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service.
    Serve {
        #[command(flatten)]
        config_args: ConfigArgs,
        /// Run only these capabilities of the service, separated by commas.
        #[arg(long, value_name = "CAPABILITY", value_delimiter = ',', value_parser = capability_names())]
        only: Vec<String>,
    },
    /// Print every setting with its value and its origin.
    Config {
        #[command(flatten)]
        config_args: ConfigArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check whether a running service is healthy: exit code 0 if it answers `ok`.
    Health {
        #[command(flatten)]
        config_args: ConfigArgs,
        /// The service's address, such as http://localhost:8080; without it, the address in the configuration.
        #[arg(long)]
        url: Option<health::HealthUrl>,
        /// Print the service's answer, which is JSON.
        #[arg(long)]
        json: bool,
    },
    /// Execute jobs: one command per job type.
    #[command(long_about = runner::ABOUT, after_long_help = runner::EXAMPLES)]
    Runner(Box<runner::Args>),
    /// Supervise one command of a runner and kill what it leaves behind. Only the runner starts this.
    #[command(name = "guard", hide = true)]
    Reaper {
        /// The file descriptor of the control socket to the runner.
        #[arg(long)]
        control: i32,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Submit a job, and wait for its result.
    #[command(long_about = submit::ABOUT, after_long_help = submit::EXAMPLES)]
    Submit(Box<submit::Args>),
    /// List, show, tail, cancel, retry and delete jobs.
    Jobs {
        #[command(subcommand)]
        command: jobs::JobsCommand,
    },
    /// Show the service's health, its jobs and its runners: once, or repeatedly with --watch.
    Status(status::Args),
    /// Check, back up and restore the store of jobs.
    Store {
        #[command(subcommand)]
        command: store::StoreCommand,
    },
    /// Demonstrate jobs (cold, warm and cached) and warm starts.
    #[command(long_about = demo::ABOUT)]
    Demo(demo::Args),
    /// Explain an exit code: what it means and what to do.
    Explain(explain::Args),
    /// Print a shell's completion script for these commands.
    #[command(after_help = completions::EXAMPLES)]
    Completions(completions::Args),
}

/// Runs the command given on the process's command line and returns its exit code.
#[must_use]
pub(crate) fn run() -> ExitCode {
    finish(match Cli::parse().command {
        Command::Serve { config_args, only } => serve::run(&config_args, &only),
        Command::Config { config_args, json } => config::run(&config_args, json),
        Command::Health { config_args, url, json } => health::run(&config_args, url, json),
        Command::Runner(args) => runner::run(&args),
        Command::Reaper { control, command } => reaper::run(control, &command).map_err(Failure::from),
        Command::Submit(args) => submit::run(&args),
        Command::Jobs { command } => jobs::run(&command),
        Command::Status(args) => status::run(&args),
        Command::Store { command } => store::run(&command),
        Command::Demo(args) => demo::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Completions(args) => completions::run(&args, command_definition()),
    })
}

/// The definition of all commands and their options.
pub(super) fn command_definition() -> clap::Command {
    Cli::command()
}
