//! Runners of three deployments wait, supervisors offer runs, one runner dies without a word. Runners and supervisors
//! are simulated.

pub mod scene;

mod client;
mod runner;
mod supervisor;

pub mod report;
