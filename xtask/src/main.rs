//! The workspace's own commands: `cargo xtask setup | test | bench | soak | image | release | ci`.
//!
//! Each command lives in the file of its name; `requirements` is the table of the tools that they need. These commands
//! call cargo and other tools, and print the result; they know nothing of the product.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command for people: what it prints is its result"
)]

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::release::Release;
use crate::setup::InstallMode;
use crate::static_binary::{RELEASED, Target};
use crate::test::{Scale, TestPlan};

mod apt;
mod bench;
mod changelog;
mod child;
mod ci;
mod image;
#[cfg(test)]
mod project_files;
mod release;
mod requirements;
mod sbom;
mod setup;
mod soak;
mod start_check;
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
    /// Build the files of a release: archives, bills of materials, checksums, notes and `install.sh`
    Release(ReleaseArgs),
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
    /// Build for every released processor and push to this repository (`registry/name`) instead
    #[arg(long, value_name = "REPOSITORY", conflicts_with = "tag")]
    push: Option<String>,
}

#[derive(Args)]
struct ReleaseArgs {
    #[command(flatten)]
    setup: SetupArgs,
    /// A target to build for; all that are released by default
    #[arg(long = "target", value_name = "TRIPLE", value_parser = Target::parse)]
    targets: Vec<Target>,
    /// The folder for the files; `target/dist` by default
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Where the files will be downloaded from; `install.sh` gets this address
    #[arg(long, value_name = "ADDRESS")]
    releases_url: Option<String>,
    /// Fail unless this tag names the workspace's version
    #[arg(long)]
    tag: Option<String>,
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

impl ReleaseArgs {
    fn release(self) -> Release {
        let targets = if self.targets.is_empty() { RELEASED.to_vec() } else { self.targets };
        let folder = self.out.unwrap_or_else(|| child::root().join("target/dist"));
        Release { targets, folder, address: self.releases_url, tag: self.tag }
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
        Task::Image(args) => image(&args).map(|()| ExitCode::SUCCESS),
        Task::Release(args) => {
            let mode = args.setup.mode();
            release::run(&args.release(), mode).map(|()| ExitCode::SUCCESS)
        }
        Task::Ci(args) => ci::run(args.mode()),
    }
}

fn image(args: &ImageArgs) -> anyhow::Result<()> {
    match &args.push {
        Some(repository) => image::push(repository, args.setup.mode()),
        None => image::build(&args.tag, args.setup.mode()),
    }
}
