//! The command line: one file per command, exit codes in one place.

mod command;
mod connect;

pub mod config;
pub mod demo;
pub mod health;
pub mod serve;
mod store;

pub use command::run;
