//! How a parked poll for a job is reached, and the outcomes that it can be sent.

use std::sync::Arc;

use pilotlight_net::conn::{Conn, Written};
use pilotlight_net::handoff::HandoffSender;
use pilotlight_store::LeasedJob;
use tokio::sync::oneshot;

/// How to reach a parked poll. Dropping it closes the poll's connection without a byte.
#[derive(Debug)]
pub(super) struct JobPollHandle {
    pub(super) conn: Arc<Conn>,
    pub(super) sender: HandoffSender<JobPollOutcome>,
}

/// The outcome of a poll, unless its connection is closed.
#[derive(Debug)]
pub(crate) enum JobPollOutcome {
    /// A job, leased to this runner. Dropping it unsent gives the job back.
    Job(Box<OutgoingJob>),
    /// There was no job after all: the poll must wait again.
    NoJob,
    /// The store failed.
    Unavailable,
}

/// A job that is being sent to a runner.
#[derive(Debug)]
pub(crate) struct OutgoingJob {
    /// The job.
    pub leased: LeasedJob,
    /// Gets a report when every byte is written. Dropping it means that this will not happen.
    pub written: oneshot::Sender<Written>,
}
