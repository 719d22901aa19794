//! The driver around `core`'s jobs: submits, dispatches to runners that wait, hears what they say, and wakes whoever
//! waits for an end. It is the only writer of jobs. What a job may become is `core::job`'s to decide, inside the
//! store's transaction; what is held here is only who waits, and is gone with the process.

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
