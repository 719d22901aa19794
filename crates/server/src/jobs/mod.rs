//! The job service: submits jobs, dispatches them to parked polls, applies the events of runners, and wakes tasks
//! that wait for a job to end. It is the only writer of jobs. `core::job` decides every state change, inside the
//! store's transaction. Only the waiting polls and tasks are in memory here; they are lost with the process.

mod capability;
pub(crate) use capability::BUILDER;

pub(crate) mod http;

mod service;
pub(crate) use service::{JobService, Settings};

mod dispatch;
mod dispatcher;
mod park;
mod poll_handle;
pub(crate) use park::JobParkOutcome;
pub(crate) use poll_handle::{JobPollOutcome, OutgoingJob};

mod notifier;
mod subscription;
pub(crate) use subscription::{JobSubscription, JobView};

mod background;
mod clock_sync;
mod last_seen;
pub(crate) mod metrics;
mod panel;
mod random;
mod stats;
mod status;
mod store_clock;

pub(crate) mod validation;
pub(crate) mod webhooks;

#[cfg(test)]
mod tests;
