//! Helpers that the tests of all crates share: the service as a process, its clients, its database, and the machine
//! around them. Only ever a development dependency; nothing here is shipped.
//!
//! A helper that cannot do its work panics and says why: in a test there is nothing to recover.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    clippy::new_without_default,
    reason = "test helpers print what a failed test needs, block their own threads, and panic where they fail"
)]

pub mod random;
mod shared;
pub mod skip;
pub mod temp_dir;
pub mod wait;

pub mod config_file;
pub mod fixed_address;
pub mod process;
pub mod server;

pub mod api_client;
pub mod commands;
pub mod event_stream;
pub mod http;
pub mod lossy_link;
pub mod run_message;
pub mod runner_process;
pub mod warm_start;
pub mod webhook_receiver;

pub mod job_store;
pub mod postgres;
pub mod store_fixtures;

pub mod browser;
pub mod container_engine;
pub mod network;
pub mod node;
pub mod python;
pub mod terminal;
