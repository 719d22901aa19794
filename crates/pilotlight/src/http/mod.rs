//! The HTTP layer: validates each request once, converts it to `core`'s types, calls the dispatcher or the job service,
//! and writes the response. It must not decide anything about runs, jobs or runners. The protocols are described in
//! `docs/protocols/`.

pub mod router;

pub mod fast_path;

pub mod access;
pub mod auth;
pub mod cors;
pub mod rate_limit;
pub mod session;
pub mod token;

pub mod body;
pub mod body_budget;
pub mod body_limits;
pub mod convert;
pub mod date;
pub mod error;
mod event_stream;
pub mod extract;
pub mod fields;
pub mod json_body;

pub mod admin;
pub mod assets;
pub mod dashboard;
pub mod dashboard_stream;
pub mod health;
pub mod jobs;
pub mod jobs_admin;
pub mod long_poll;
pub mod metrics;
pub mod openapi;
pub mod runners;
pub mod warm_start;
