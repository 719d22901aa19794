//! A poll's stay: from parking to its verdict. Dropping the stay, as HTTP does when the client goes away, leaves
//! the pool.

use std::sync::Arc;

use bytes::Bytes;
use pilotlight_core::ids::Runner;
use pilotlight_core::matching::Parking;
use pilotlight_core::pool::{Poll, PollId, PoolKey};
use tokio::sync::oneshot;

use super::dispatcher::{Dispatcher, Waiter};
use crate::net::conn::{Conn, Written};

/// What becomes of a poll that is not simply closed.
#[derive(Debug)]
pub enum Verdict {
    /// A run. Whoever drops it unsent gives the run back.
    Run(Handed),
    /// The runner is retired: tell it, so that it exits.
    Retired,
}

/// A run on its way to a runner.
#[derive(Debug)]
pub struct Handed {
    /// The message, byte for byte.
    pub message: Bytes,
    /// To be told when every byte is written. Dropped, it says that this will never be.
    pub written: oneshot::Sender<Written>,
}

/// A parked poll.
#[derive(Debug)]
pub struct Stay {
    dispatcher: Arc<Dispatcher>,
    id: PollId,
    verdict: oneshot::Receiver<Verdict>,
}

/// How parking went.
#[derive(Debug)]
pub enum Parked {
    /// It waits.
    Stay(Stay),
    /// The runner is retired: tell it, so that it exits.
    Retired,
    /// Close the connection without a byte: the client asks again.
    Closed,
}

impl Dispatcher {
    /// Parks a runner's poll.
    pub fn park(self: &Arc<Self>, key: PoolKey, runner: Runner, conn: Arc<Conn>) -> Parked {
        let (tell, verdict) = oneshot::channel();
        let handle = Waiter { conn, verdict: tell };
        let poll = Poll { key, runner, parked_at: self.clock.now(), handle };
        let parking = self.matching().park(poll);
        match parking {
            // Dropping the replaced poll closes its connection.
            Parking::Parked { id, replaced: _ } => {
                Parked::Stay(Stay { dispatcher: Arc::clone(self), id, verdict })
            }
            Parking::Retired => Parked::Retired,
            Parking::Closed => Parked::Closed,
        }
    }
}

impl Stay {
    /// Waits for the verdict; `None` means to close the connection without a byte.
    pub async fn verdict(mut self) -> Option<Verdict> {
        (&mut self.verdict).await.ok()
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        // A poll that has its verdict was taken out of its pool before.
        if !self.verdict.is_terminated() {
            self.dispatcher.matching().leave(self.id);
        }
    }
}
