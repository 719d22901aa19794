//! Reads the command line, runs the command, and turns its end into an exit code: 0 done, 1 failed, 2 the command
//! line or the configuration is wrong.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::{config, demo, health, runner, serve, store};
use crate::app::Part;
use crate::runner::guard;

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
        settings: Settings,
        /// Run these parts of it only, separated by commas.
        #[arg(long, value_name = "PART", value_delimiter = ',', value_enum)]
        only: Vec<Part>,
    },
    /// Print the settings in force and where each came from.
    Config {
        #[command(flatten)]
        settings: Settings,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ask a running service whether it is well: exit code 0 when it says ok.
    Health {
        #[command(flatten)]
        settings: Settings,
        /// Where it listens, such as http://localhost:8080; otherwise the settings say it.
        #[arg(long)]
        url: Option<health::Url>,
        /// Print what it said, which is JSON.
        #[arg(long)]
        json: bool,
    },
    /// Execute jobs: one command for each type of them.
    #[command(long_about = runner::ABOUT, after_long_help = runner::EXAMPLES)]
    Runner(Box<runner::Args>),
    /// Watch over one command of a runner; the runner starts it.
    #[command(hide = true)]
    Guard {
        /// The descriptor of the runner's socket.
        #[arg(long)]
        control: i32,
        /// The command.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Look through the jobs that are remembered, copy them, put a copy back.
    Store {
        #[command(subcommand)]
        task: store::Task,
    },
    /// Play a scene with real sockets: runners wait, runs are offered, a runner dies without a word.
    Demo {
        /// Runs to offer.
        #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        runs: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Where settings come from besides the environment.
#[derive(Debug, clap::Args)]
pub(super) struct Settings {
    /// A TOML file; the environment overrides it. PILOTLIGHT_CONFIG names one as well.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// How a command can end badly.
pub(super) enum Failure {
    /// The configuration is wrong; already told.
    Config,
    /// Anything else.
    Other(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Serve { settings, only } => serve::run(&settings, &only),
        Command::Config { settings, json } => config::run(&settings, json),
        Command::Health { settings, url, json } => health::run(&settings, url, json),
        Command::Runner(args) => runner::run(&args),
        Command::Guard { control, command } => guard::run(control, &command).map_err(Failure::from),
        Command::Store { task } => store::run(&task),
        Command::Demo { runs, json } => demo::run(runs, json),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Config) => ExitCode::from(2),
        Err(Failure::Other(error)) => {
            #[expect(clippy::print_stderr, reason = "the command failed; this is where people are told")]
            {
                eprintln!("pilotlight: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
