//! `pilotlight runner`: a real runner executes real commands, many of which misbehave.
//!
//! No other test runs at the same time as tests in modules named `alone` (`.config/nextest.toml`).

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print what they measure, and panic when they fail"
)]

mod command_results;
mod warm_processes;

mod kills;
mod leftover_processes;
mod shutdown;
