//! The command line: one file per command, and one table of all exit codes.

mod command;
mod connect;
mod exit_code;
mod failure;
mod messages;
mod output;

pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod health;
mod runner;
pub(crate) mod serve;
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

pub(crate) use command::run;
