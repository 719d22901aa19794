//! Parks the polls of runners in their pools.

use std::sync::Arc;

use pilotlight_core::ids::Runner;
use pilotlight_core::matching::ParkResult;
use pilotlight_core::pool::{self, PollId, PoolKey};
use pilotlight_net::conn::Conn;
use pilotlight_net::handoff::handoff;
use pilotlight_net::parked_poll::{ParkedPoll, PollRegistry};

use crate::warm_start::dispatcher::Dispatcher;
use crate::warm_start::poll_handle::{PollHandle, PollOutcome, ResponsePath};

/// The result of parking a poll.
#[derive(Debug)]
pub(crate) enum ParkOutcome {
    /// The poll is parked.
    Parked(ParkedPoll<Dispatcher>),
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
            ParkResult::Parked { id, replaced: _ } => {
                ParkOutcome::Parked(ParkedPoll::new(Arc::clone(self), id, receiver))
            }
            ParkResult::Retired => ParkOutcome::Retired,
            ParkResult::Closed => ParkOutcome::Closed,
        }
    }
}

impl PollRegistry for Dispatcher {
    type Outcome = PollOutcome;

    fn leave(&self, id: PollId) -> bool {
        self.matching().leave(id)
    }
}
