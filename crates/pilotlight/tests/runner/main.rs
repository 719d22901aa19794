//! `pilotlight runner`: a real runner executes real commands. Many of them fail, hang, write too much or leave
//! processes behind.
//!
//! Tests in a module named `alone` (in `kills`) measure time, so no other test runs at the same time
//! (`.config/nextest.toml`).

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
