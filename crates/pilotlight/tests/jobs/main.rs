//! Tests of jobs through the HTTP API of a real service: submission, execution, caching, deletion, webhooks, failures.
//! Where the store matters, a test runs with SQLite and with PostgreSQL.
//!
//! Tests with `netns` in their name create network namespaces.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print what they measure, and panic where they fail"
)]

mod client_library;
mod contract;
mod openapi_document;
mod runpack;

mod options;
mod queue_limits;
mod rate_limits;
mod result_validity;
mod retention;
mod single_execution;
mod subscriptions;
mod webhooks;

mod database_outage;
mod leaving_runners;
mod service_kills;

mod hostile_requests;
mod request_framing;
mod slow_senders;
