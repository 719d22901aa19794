//! Reads the command line and runs the command. What it ends with stands in `exit_code`.

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use super::exit_code::{self, Code};
use super::{completions, config, demo, explain, health, jobs, output, runner, serve, status, store, submit};
use crate::app::CapabilityName;
use crate::runner::reaper;

/// Keeps work from ever starting cold.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service.
    Serve {
        #[command(flatten)]
        config_args: ConfigArgs,
        /// Run these parts of it only, separated by commas.
        #[arg(long, value_name = "PART", value_delimiter = ',', value_enum)]
        only: Vec<CapabilityName>,
    },
    /// Print the settings in force and where each came from.
    Config {
        #[command(flatten)]
        config_args: ConfigArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ask a running service whether it is well: exit code 0 when it says ok.
    Health {
        #[command(flatten)]
        config_args: ConfigArgs,
        /// Where it listens, such as http://localhost:8080; otherwise the settings say it.
        #[arg(long)]
        url: Option<health::HealthUrl>,
        /// Print what it said, which is JSON.
        #[arg(long)]
        json: bool,
    },
    /// Execute jobs: one command for each type of them.
    #[command(long_about = runner::ABOUT, after_long_help = runner::EXAMPLES)]
    Runner(Box<runner::Args>),
    /// Watch over one command of a runner; the runner starts it.
    #[command(name = "guard", hide = true)]
    Reaper {
        /// The descriptor of the runner's socket.
        #[arg(long)]
        control: i32,
        /// The command.
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
    /// Show what the service does now: on one screen, or again and again.
    Status(status::Args),
    /// Look through the jobs that are remembered, copy them, put a copy back.
    Store {
        #[command(subcommand)]
        command: store::StoreCommand,
    },
    /// Show what it does: jobs cold, warm and cached, and warm starts.
    #[command(long_about = demo::ABOUT)]
    Demo(demo::Args),
    /// Explain an exit code: what it means, and what to do.
    Explain(explain::Args),
    /// Print what a shell reads to complete these commands.
    #[command(after_help = completions::EXAMPLES)]
    Completions(completions::Args),
}

/// Where settings come from besides the environment.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigArgs {
    /// A TOML file; the environment overrides it. PILOTLIGHT_CONFIG names one as well.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// How a command can end badly.
pub(super) enum Failure {
    /// In this way; already told, or nobody listens.
    Reported(Code),
    /// Anything else.
    Other(anyhow::Error),
}

impl Failure {
    /// In this way, and this is where it is told.
    pub(super) fn report(code: Code, why: impl Display) -> Self {
        output::note(format_args!("pilotlight: {why}"));
        Self::Reported(code)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    exit_code::finish(match Cli::parse().command {
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
        Command::Completions(args) => completions::run(&args),
    })
}

/// All commands and their options.
pub(super) fn command_definition() -> clap::Command {
    Cli::command()
}
