//! A poll's stay: from parking to its verdict. Dropping the stay, as HTTP does when the client goes away, leaves
//! the pool.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use pilotlight_core::ids::Runner;
use pilotlight_core::matching::ParkResult;
use pilotlight_core::pool::{self, PollId, PoolKey};
use tokio::sync::oneshot;

use super::dispatcher::{Dispatcher, PollHandle};
use super::handoff::{HandoffReceiver, handoff};
use crate::net::conn::{Conn, Written};

/// What becomes of a poll that is not simply closed.
#[derive(Debug)]
pub enum PollOutcome {
    /// A run, to be answered through HTTP. Whoever drops it unsent gives the run back.
    Run(OutgoingRun),
    /// A run was answered on the connection itself. The poll is over, the connection goes on.
    Answered,
    /// The runner is retired: tell it, so that it exits.
    Retired,
}

/// A run on its way to a runner.
#[derive(Debug)]
pub struct OutgoingRun {
    /// The message, byte for byte.
    pub message: Bytes,
    /// To be told when every byte is written. Dropped, it says that this will never be.
    pub written: oneshot::Sender<Written>,
}

/// How a poll is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponsePath {
    /// On its connection, by whoever has the run; its server waits meanwhile.
    Direct,
    /// Through the HTTP machinery, which owns the connection.
    Http,
}

/// A parked poll.
#[derive(Debug)]
pub struct ParkedPoll {
    dispatcher: Arc<Dispatcher>,
    id: PollId,
    receiver: HandoffReceiver<PollOutcome>,
    is_finished: bool,
}

/// How parking went.
#[derive(Debug)]
pub enum ParkOutcome {
    /// It waits.
    Parked(ParkedPoll),
    /// The runner is retired: tell it, so that it exits.
    Retired,
    /// Close the connection without a byte: the client asks again.
    Closed,
}

impl Dispatcher {
    /// Parks a runner's poll.
    pub fn park(
        self: &Arc<Self>,
        key: PoolKey,
        runner: Runner,
        conn: Arc<Conn>,
        response_path: ResponsePath,
    ) -> ParkOutcome {
        let (sender, receiver) = handoff();
        let handle = PollHandle { conn, response_path, sender };
        let result = {
            let mut matching = self.matching();
            // Read under the lock: polls are kept in the order of their moments.
            matching.park(pool::Poll { key, runner, parked_at: self.clock.now(), handle })
        };
        match result {
            // Dropping the replaced poll closes its connection.
            ParkResult::Parked { id, replaced: _ } => ParkOutcome::Parked(ParkedPoll {
                dispatcher: Arc::clone(self),
                id,
                receiver,
                is_finished: false,
            }),
            ParkResult::Retired => ParkOutcome::Retired,
            ParkResult::Closed => ParkOutcome::Closed,
        }
    }
}

impl ParkedPoll {
    /// Waits for the verdict; `None` means to close the connection without a byte. Dropped, it may be asked again.
    pub async fn outcome(&mut self) -> Option<PollOutcome> {
        poll_fn(|cx| self.poll_outcome(cx)).await
    }

    /// As [`ParkedPoll::outcome`], for whoever waits for something else as well.
    pub fn poll_outcome(&mut self, cx: &Context<'_>) -> Poll<Option<PollOutcome>> {
        let outcome = self.receiver.poll(cx);
        self.is_finished |= outcome.is_ready();
        outcome
    }

    /// Leaves the pool. Says whether it was still there; if not, a verdict is on its way.
    pub fn leave(&mut self) -> bool {
        self.receiver.wake_on_send();
        self.dispatcher.matching().leave(self.id)
    }
}

impl Drop for ParkedPoll {
    fn drop(&mut self) {
        // A poll that has its verdict was taken out of its pool before.
        if !self.is_finished {
            self.dispatcher.matching().leave(self.id);
        }
    }
}
