//! How a parked poll is reached, and the outcomes that it can be sent.

use std::sync::Arc;

use bytes::Bytes;
use pilotlight_net::conn::{Conn, Written};
use pilotlight_net::handoff::HandoffSender;
use tokio::sync::oneshot;

/// How to reach a parked poll. Dropping it closes the poll's connection without a byte.
#[derive(Debug)]
pub(super) struct PollHandle {
    pub(super) conn: Arc<Conn>,
    pub(super) response_path: ResponsePath,
    pub(super) sender: HandoffSender<PollOutcome>,
}

/// The outcome of a poll, unless its connection is simply closed.
#[derive(Debug)]
pub(crate) enum PollOutcome {
    /// A run that must be sent through hyper. Dropping it unsent gives the run back.
    Run(OutgoingRun),
    /// A run was written directly to the connection. The poll has ended; the connection stays open.
    Answered,
    /// The runner is retired: the poll must be answered so that the runner exits.
    Retired,
}

/// A run that hyper sends to a runner.
#[derive(Debug)]
pub(crate) struct OutgoingRun {
    /// The message, byte for byte.
    pub message: Bytes,
    /// Gets a report when every byte is written. Dropping it means that this will not happen.
    pub written: oneshot::Sender<Written>,
}

/// How the response to a poll is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponsePath {
    /// Directly to its connection, by the task that has the run; the connection's own task waits meanwhile.
    Direct,
    /// Through hyper, which owns the connection.
    Http,
}
