//! The job service: submits jobs, dispatches them to parked polls, applies the events of runners, and wakes tasks
//! that wait for a job to end. It is the only writer of jobs. `core::job` decides every state change, inside the
//! store's transaction. Only the waiting polls and tasks are in memory here; they are lost with the process.

mod service;
pub use service::{JobService, Settings};

mod dispatcher;
mod parked_poll;
pub use parked_poll::{JobParkOutcome, JobPollOutcome, OutgoingJob, ParkedJobPoll};

mod notifier;
mod subscription;
pub use subscription::{JobSubscription, JobView};

mod background;
mod last_seen;
mod random;
mod stats;
mod store_clock;

pub mod validation;
pub mod webhooks;

#[cfg(test)]
mod tests;
