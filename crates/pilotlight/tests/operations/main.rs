//! What operators rely on: restarts, health, deployment files, logs, metrics and spans.
//!
//! Tests in `container` run a container engine of their own.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print what they measure, and panic where they fail"
)]

mod handover;
mod health;
mod shutdown;

mod container;
mod deploy;

mod observability;
mod offer_log;
mod otlp;
