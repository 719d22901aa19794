//! The command line: one file per command, and one table of all exit codes.

mod command;
mod connect;
mod exit_code;
mod output;

pub mod config;
pub mod demo;
pub mod health;
mod runner;
pub mod serve;
mod store;

mod datetime;
mod follow;
mod format;
mod progress_view;
mod submit_and_wait;
mod submit_options;

mod jobs;
mod status;
mod submit;

mod completions;
mod explain;

#[cfg(test)]
mod reference;

pub use command::run;
