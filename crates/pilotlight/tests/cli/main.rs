//! The commands of `pilotlight` as a user runs them: stdout, stderr and exit codes; and the examples of the
//! documentation.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print what they measure, and panic when they fail"
)]

mod arguments;
mod exit_codes;
mod store;

mod interrupts;
mod jobs;
mod status;
mod submit;
mod terminal;

mod demo;
mod documents;
mod examples;
