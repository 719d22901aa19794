//! The warm-start scene: runners of three deployments wait, supervisors offer runs, and one runner dies silently.
//! Runners and supervisors are simulated.

pub(crate) mod scene;

mod client;
mod runner;
mod supervisor;

pub(crate) mod report;
