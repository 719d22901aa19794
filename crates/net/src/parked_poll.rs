//! A runner's parked poll, from parking to its outcome. Dropping [`ParkedPoll`], as hyper does when the client
//! disconnects, removes the poll from its registry.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use pilotlight_core::pool::PollId;

use crate::handoff::HandoffReceiver;

/// Where polls are parked.
pub trait PollRegistry {
    /// What a parked poll is sent.
    type Outcome;

    /// Removes a poll. Returns whether it was still there; if not, an outcome is about to arrive.
    fn leave(&self, id: PollId) -> bool;
}

/// A parked poll.
#[derive(Debug)]
pub struct ParkedPoll<R: PollRegistry> {
    registry: Arc<R>,
    id: PollId,
    receiver: HandoffReceiver<R::Outcome>,
    is_finished: bool,
}

impl<R: PollRegistry> ParkedPoll<R> {
    /// A poll that was just parked in the registry.
    pub const fn new(registry: Arc<R>, id: PollId, receiver: HandoffReceiver<R::Outcome>) -> Self {
        Self { registry, id, receiver, is_finished: false }
    }

    /// Waits for the outcome; `None` means that the connection must be closed without a byte. The future can be
    /// dropped and called again.
    pub async fn outcome(&mut self) -> Option<R::Outcome> {
        poll_fn(|cx| self.poll_outcome(cx)).await
    }

    /// Like [`ParkedPoll::outcome`], for callers that wait for something else as well.
    pub fn poll_outcome(&mut self, cx: &Context<'_>) -> Poll<Option<R::Outcome>> {
        let outcome = self.receiver.poll(cx);
        self.is_finished |= outcome.is_ready();
        outcome
    }

    /// Removes the poll from its registry. Returns whether it was still there; if not, an outcome is about to arrive.
    pub fn leave(&mut self) -> bool {
        self.receiver.wake_on_send();
        self.registry.leave(self.id)
    }
}

impl<R: PollRegistry> Drop for ParkedPoll<R> {
    fn drop(&mut self) {
        // A poll with an outcome has been removed from its registry already.
        if !self.is_finished {
            self.registry.leave(self.id);
        }
    }
}
