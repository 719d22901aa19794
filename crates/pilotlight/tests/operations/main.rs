//! Operation of the service: restarts, health, deployment files, logs, metrics and spans.
//!
//! Tests in `container` run their own container engine.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print measurements, and panic when they fail"
)]

mod handover;
mod health;
mod shutdown;

mod container;
mod deploy;

mod observability;
mod offer_log;
mod otlp;
