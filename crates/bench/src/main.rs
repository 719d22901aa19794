//! Measures Pilotlight.
//!
//! Every figure is a ratio to a floor (the minimal program that could do the same work), measured in the same
//! execution, so that the ratio is comparable across machines. `floor` is the floor of matches; `null` and
//! `bare_commits` are the floors of jobs. `load` generates the same load for the floors and for the real server.
//! `matching`, `jobs` and `runner` measure and judge. Nothing in this crate is shipped.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its report")]

mod bare_commits;
mod binaries;
mod floor;
mod folder;
mod jobs;
mod listener;
mod load;
mod machine;
mod matching;
mod message;
mod null;
mod open_files;
mod progress;
mod regression;
mod report;
mod runner;
mod scan;
mod separate_cores;
mod series;
mod server_process;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::jobs::JobsArgs;
use crate::matching::MatchArgs;
use crate::runner::RunnerArgs;

/// The load generator's threads: one, because the load generator has one core while matches are measured.
const LOAD_THREADS: usize = 1;

/// Measures Pilotlight against a floor, as a ratio in one execution.
#[derive(Debug, Parser)]
#[command(name = "pilotlight-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the floor of matches: raw sockets, one mutex, no checks. Prints its address first.
    Floor {
        /// The port to listen on; 0 chooses a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Measure the matchmaker: throughput, one offer at a time, memory per parked poll.
    ///
    /// Exits with 1 if a goal is missed, and with 2 if the measurement failed.
    Match(MatchArgs),
    /// Serve the floor of jobs: reads whole requests and sends prepared responses. Prints its address first.
    Null {
        /// The port to listen on; 0 chooses a free one.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Measure jobs: life cycles, cached answers, one job at a time, each with an empty store and with a full one.
    ///
    /// Exits with 1 if a goal is missed, and with 2 if the measurement failed.
    Jobs(JobsArgs),
    /// Measure `pilotlight runner`: a job by a new process, and a job by a warm process.
    ///
    /// Exits with 1 if a goal is missed, and with 2 if the measurement failed.
    Runner(RunnerArgs),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("pilotlight-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs a command. Returns whether all goals were met.
fn run(command: Command) -> Result<bool> {
    warn_unless_optimised();
    match command {
        Command::Floor { port } => floor::serve(port).map(|()| true),
        Command::Match(args) => measure(matching::run(args)),
        Command::Null { port } => null::serve(port).map(|()| true),
        Command::Jobs(args) => measure(jobs::run(args)),
        Command::Runner(args) => measure(runner::run(args)),
    }
}

/// Runs a bench to its end. On SIGTERM or SIGINT it drops the bench, and with it every server that the bench started.
fn measure(bench: impl Future<Output = Result<bool>> + Send + 'static) -> Result<bool> {
    let runtime = load_runtime()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // The bench runs on the load generator's threads; the main thread only waits.
        let bench = runtime.spawn(bench);
        tokio::select! {
            ended = bench => ended?,
            _ = terminate.recv() => bail!("stopped by SIGTERM"),
            _ = interrupt.recv() => bail!("stopped by SIGINT"),
        }
    })
}

fn load_runtime() -> Result<Runtime> {
    Ok(runtime::Builder::new_multi_thread().worker_threads(LOAD_THREADS).enable_all().build()?)
}

fn warn_unless_optimised() {
    if cfg!(debug_assertions) {
        eprintln!(
            "pilotlight-bench: built without optimisation, so the figures are meaningless (use --release)"
        );
    }
}
