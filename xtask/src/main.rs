//! The workspace's own commands: `cargo xtask setup | test | bench | soak | image | ci`.
//!
//! Each command lives in the file of its name; `needs` is the table of what the tests want from a machine. Nothing
//! here knows the product: these commands only call cargo and say plainly what came of it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command for people: what it prints is its result"
)]

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::setup::Consent;
use crate::test::{Plan, Size};

mod bench;
mod child;
mod ci;
mod image;
mod needs;
mod setup;
mod soak;
mod static_binary;
mod test;

/// Builds, tests and measures the workspace.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests and `ci` need, as far as this machine allows
    Setup,
    /// Run every test; what this machine cannot run is named and counted as skipped
    Test(TestArgs),
    /// Build with the release profile and measure: `bench match --help` and `bench jobs --help` show a scene's own options
    Bench {
        /// The scene (`match` when left out, or `jobs`) and its options
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run the tests with their bigger counts
    Soak(TestArgs),
    /// Build the static binary and the container image around it
    Image {
        #[command(flatten)]
        setup: SetupArgs,
        /// The image's name
        #[arg(long, default_value = "pilotlight")]
        tag: String,
    },
    /// Format, clippy, deny, test: what a change must pass
    Ci(SetupArgs),
}

#[derive(Args)]
struct TestArgs {
    #[command(flatten)]
    setup: SetupArgs,
    /// Passed on to `cargo nextest run`: parts of test names, `-p PACKAGE`, `-E EXPRESSION`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    filters: Vec<OsString>,
}

#[derive(Args)]
struct SetupArgs {
    /// Install nothing: name what is missing and go on without it
    #[arg(long)]
    no_setup: bool,
}

impl TestArgs {
    fn plan(self, size: Size) -> Plan {
        Plan { size, consent: self.setup.consent(), filters: self.filters }
    }
}

impl SetupArgs {
    fn consent(&self) -> Consent {
        if self.no_setup { Consent::OnlyName } else { Consent::Install }
    }
}

fn main() -> ExitCode {
    perform(Cli::parse().task).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn perform(task: Task) -> anyhow::Result<ExitCode> {
    match task {
        Task::Setup => setup::run().map(|()| ExitCode::SUCCESS),
        Task::Test(args) => Ok(test::run(&args.plan(Size::Usual))?.conclude()),
        Task::Bench { args } => bench::run(args).map(|()| ExitCode::SUCCESS),
        Task::Soak(args) => Ok(soak::run(&args.plan(Size::Soak))?.conclude()),
        Task::Image { setup, tag } => image::run(&tag, setup.consent()).map(|()| ExitCode::SUCCESS),
        Task::Ci(args) => ci::run(args.consent()),
    }
}
