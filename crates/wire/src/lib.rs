//! Speaks: the wire types of every protocol, one file per contract. They carry what is on the wire and check
//! nothing; what a value means is `core`'s business, and turning one into the other is the edge's.

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
