//! The workspace's own commands: `cargo xtask setup | test | bench | soak | image | ci`.
//!
//! Each command lives in the file of its name; `requirements` is the table of the tools that they need. These commands
//! call cargo and other tools, and print the result; they know nothing of the product.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command for people: what it prints is its result"
)]

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::setup::InstallMode;
use crate::test::{Scale, TestPlan};

mod apt;
mod bench;
mod child;
mod ci;
mod image;
mod requirements;
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
    /// Run all tests; those that cannot run on this machine are named and counted as skipped
    Test(TestArgs),
    /// Build with the release profile and measure: `bench match --help` and `bench jobs --help` show a scene's options
    Bench {
        /// The scene (`match` by default, or `jobs`) and its options
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run the tests with bigger counts
    Soak(TestArgs),
    /// Build the static binary and the container image around it
    Image(ImageArgs),
    /// Check formatting, shell scripts, dependencies and lints, compile the fuzz targets, and run all tests
    Ci(SetupArgs),
}

#[derive(Args)]
struct TestArgs {
    #[command(flatten)]
    setup: SetupArgs,
    /// Passed to `cargo nextest run`: parts of test names, `-p PACKAGE`, `-E EXPRESSION`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    filters: Vec<OsString>,
}

#[derive(Args)]
struct ImageArgs {
    #[command(flatten)]
    setup: SetupArgs,
    /// The image's name
    #[arg(long, default_value = "pilotlight")]
    tag: String,
}

#[derive(Args)]
struct SetupArgs {
    /// Install nothing: print what is missing and continue without it
    #[arg(long)]
    no_setup: bool,
}

impl TestArgs {
    fn plan(self, scale: Scale) -> TestPlan {
        TestPlan { scale, mode: self.setup.mode(), filters: self.filters }
    }
}

impl SetupArgs {
    fn mode(&self) -> InstallMode {
        if self.no_setup { InstallMode::ReportOnly } else { InstallMode::Install }
    }
}

fn main() -> ExitCode {
    run(Cli::parse().task).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    match task {
        Task::Setup => setup::run().map(|()| ExitCode::SUCCESS),
        Task::Test(args) => Ok(test::run(&args.plan(Scale::Normal))?.finish()),
        Task::Bench { args } => bench::run(args).map(|()| ExitCode::SUCCESS),
        Task::Soak(args) => Ok(soak::run(&args.plan(Scale::Soak))?.finish()),
        Task::Image(args) => image::build(&args.tag, args.setup.mode()).map(|()| ExitCode::SUCCESS),
        Task::Ci(args) => ci::run(args.mode()),
    }
}
