//! A runner's parked poll, from parking to its outcome. Dropping [`ParkedPoll`], as hyper does when the client
//! disconnects, removes the poll from its pool.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use pilotlight_core::ids::Runner;
use pilotlight_core::matching::ParkResult;
use pilotlight_core::pool::{self, PollId, PoolKey};

use crate::warm_start::dispatcher::Dispatcher;
use crate::warm_start::poll_handle::{PollHandle, PollOutcome, ResponsePath};
use pilotlight_net::conn::Conn;
use pilotlight_net::handoff::{HandoffReceiver, handoff};

/// A parked poll.
#[derive(Debug)]
pub(crate) struct ParkedPoll {
    dispatcher: Arc<Dispatcher>,
    id: PollId,
    receiver: HandoffReceiver<PollOutcome>,
    is_finished: bool,
}

/// The result of parking a poll.
#[derive(Debug)]
pub(crate) enum ParkOutcome {
    /// The poll is parked.
    Parked(ParkedPoll),
    /// The runner is retired: the poll must be answered so that the runner exits.
    Retired,
    /// The connection must be closed without a byte; the runner polls again.
    Closed,
}

impl Dispatcher {
    /// Parks a runner's poll.
    pub(crate) fn park(
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
            // Read under the lock, because polls are ordered by `parked_at`.
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
    /// Waits for the outcome; `None` means that the connection must be closed without a byte. The future can be
    /// dropped and called again.
    pub(crate) async fn outcome(&mut self) -> Option<PollOutcome> {
        poll_fn(|cx| self.poll_outcome(cx)).await
    }

    /// Like [`ParkedPoll::outcome`], for callers that wait for something else as well.
    pub(crate) fn poll_outcome(&mut self, cx: &Context<'_>) -> Poll<Option<PollOutcome>> {
        let outcome = self.receiver.poll(cx);
        self.is_finished |= outcome.is_ready();
        outcome
    }

    /// Removes the poll from its pool. Returns whether it was still there; if not, an outcome is about to arrive.
    pub(crate) fn leave(&mut self) -> bool {
        self.receiver.wake_on_send();
        self.dispatcher.matching().leave(self.id)
    }
}

impl Drop for ParkedPoll {
    fn drop(&mut self) {
        // A poll with an outcome has been removed from its pool already.
        if !self.is_finished {
            self.dispatcher.matching().leave(self.id);
        }
    }
}
