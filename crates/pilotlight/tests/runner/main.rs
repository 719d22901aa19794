//! `pilotlight runner`: jobs executed by real commands, many of which misbehave.
//!
//! Modules named `alone` need the machine for themselves.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print what they measure, and panic where they fail"
)]

mod command_results;
mod warm_processes;

mod kills;
mod leftover_processes;
mod shutdown;
