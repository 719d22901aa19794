//! The command line from outside: what commands print, where they print it, how they exit; and the documentation's
//! examples.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print what they measure, and panic where they fail"
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
