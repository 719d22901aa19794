//! The wire types of every protocol, one file per protocol. They describe messages and validate nothing: `core` decides
//! what a value means, and the HTTP layer converts between the two.

pub mod json;
pub mod object;
pub mod rate_limit;

pub mod warm_start;

pub mod jobs;
pub mod jobs_admin;
pub mod runner;

pub mod requests;

pub mod admin;
pub mod dashboard;
pub mod dashboard_events;
pub mod session;
pub mod webhooks;
