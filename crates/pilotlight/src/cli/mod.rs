//! The command line: one file per command, exit codes in one place.

mod command;
mod connect;
mod exit_code;
mod out;

pub mod config;
pub mod demo;
pub mod health;
mod runner;
pub mod serve;
mod store;

mod following;
mod moment;
mod screen;
mod shown;
mod submitting;
mod wishes;

mod jobs;
mod status;
mod submit;

mod completions;
mod explain;

#[cfg(test)]
mod reference;

pub use command::run;
