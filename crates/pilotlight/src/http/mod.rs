//! Speaks HTTP: checks what comes in once, turns it into `core`'s types, asks the drivers, and writes what they
//! answer. One file per noun; it decides nothing about runs and runners.

pub mod router;

pub mod front;

pub mod access;
pub mod auth;
pub mod cors;
pub mod rate_limit;
pub mod session;
pub mod token;

pub mod asked;
pub mod body;
pub mod convert;
pub mod date;
pub mod envelope;
pub mod error;
pub mod fields;
pub mod room;
pub mod sizes;

pub mod admin;
pub mod dashboard;
pub mod health;
pub mod jobs;
pub mod jobs_admin;
pub mod live;
pub mod metrics;
pub mod next;
pub mod openapi;
pub mod page;
pub mod runners;
pub mod warm_start;
