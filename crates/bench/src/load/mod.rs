//! The load generator: runners that park and supervisors that offer, on raw sockets.
//!
//! It shares the machine's cores with the server it measures, so it does as little per match as it can, and it
//! does exactly the same for every server. It judges nothing: it notes every offer and every arrival, and
//! `run_counts` counts them afterwards.

pub(crate) mod busy_loop;
pub(crate) mod connection;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod run_counts;
pub(crate) mod runner;
pub(crate) mod supervisor;
