//! The load generator: runners that park polls and supervisors that offer runs, on raw sockets.
//!
//! It shares the machine with the measured server, so it does as little per match as possible, and exactly the same for
//! every server. It must not judge: it records every offer and every arrival, and `run_counts` counts them afterwards.

pub(crate) mod busy_loop;
pub(crate) mod connection;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod run_counts;
pub(crate) mod runner;
pub(crate) mod supervisor;
