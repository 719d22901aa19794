//! Helpers that the tests of all crates share: the service as a process, its clients, its database, and the network,
//! browser and container engine around them. It is only a development dependency; nothing here is shipped.
//!
//! A helper that fails panics with the reason: a test has no way to recover.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    clippy::new_without_default,
    reason = "test helpers print diagnostics for failed tests, block their own threads, and panic when they fail"
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
