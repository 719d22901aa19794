//! The whole service from outside: the real binary, real sockets, and the real clients named in the contracts.
//!
//! One file for each theme. A test whose name begins with `alone_` is about load or time and wants the machine to
//! itself; one with `netns` in its name makes network namespaces. Those in `container` run a
//! container engine of their own.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests: what they measure is printed, and what cannot be ends them"
)]

mod store_command;
mod support;

mod real_client;

mod nothing_lost;
mod unread;

mod dark;

mod matching;

mod jobs;
mod runner;

mod dashboard;
mod page;

mod edge;

mod observability;
mod offer_lines;
#[cfg(feature = "otlp")]
mod otlp;

mod jobs_contract;

mod access;
mod hostile;
mod soak;
mod tls;
mod tokens;

mod callers;
mod client;
mod command_line;
mod demo;
mod handover;
mod health;
mod shutdown;

mod container;
mod deploy;
mod documents;
mod examples;
