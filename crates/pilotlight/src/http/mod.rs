//! Speaks HTTP: checks what comes in once, turns it into `core`'s types, asks the drivers, and writes what they
//! answer. One file per noun; it decides nothing about runs and runners.

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
