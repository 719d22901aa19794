//! The complete state of matching: pools, retirements, active runs and history, kept consistent with each other. The
//! driver holds one instance behind a short lock, and uses only these methods.

use std::time::Duration;

use crate::active_runs::{ActiveRun, ActiveRuns};
use crate::delivery::OfferOutcome;
use crate::history::{History, OfferRecord, RecordId};
use crate::limits::MAX_RETIREMENT;
use crate::offer_stats::OfferStats;
use crate::pool::{Order, Poll, PollId, PollTiming, PoolKey, Pools, SelectedPoll};
use crate::retire::{Retirements, RunnerFilter};
use crate::time::Moment;

/// The outcome of parking a poll.
#[derive(Debug, PartialEq, Eq)]
pub enum ParkResult<H> {
    /// The poll is parked. It may have replaced an older poll of the same runner; close that one's connection without a
    /// response.
    Parked {
        /// The id of the poll.
        id: PollId,
        /// The replaced poll.
        replaced: Option<Poll<H>>,
    },
    /// The runner was retired: answer the poll so that the runner exits.
    Retired,
    /// The service is stopping, or has the maximum number of polls: close the connection without a response; the client
    /// polls again.
    Closed,
}

/// The matching state.
#[derive(Debug)]
pub struct Matching<H> {
    pools: Pools<H>,
    max_polls: usize,
    draining: bool,
    retirements: Retirements,
    active_runs: ActiveRuns,
    history: History,
    offer_stats: OfferStats,
}

impl<H> Matching<H> {
    /// An empty state. `max_polls` is derived from the maximum number of connections of the process.
    #[must_use]
    pub fn new(order: Order, timing: PollTiming, max_polls: usize) -> Self {
        Self {
            pools: Pools::new(order, timing),
            max_polls,
            draining: false,
            retirements: Retirements::default(),
            active_runs: ActiveRuns::default(),
            history: History::default(),
            offer_stats: OfferStats::default(),
        }
    }

    /// Parks the poll of a runner. The runner's active run ends. The poll may be refused.
    pub fn park(&mut self, poll: Poll<H>) -> ParkResult<H> {
        self.active_runs.finish(&poll.runner.id);
        if self.retirements.covers(&poll, poll.parked_at) {
            return ParkResult::Retired;
        }
        if self.draining || self.is_full_for(&poll) {
            return ParkResult::Closed;
        }
        let (id, replaced) = self.pools.park(poll);
        ParkResult::Parked { id, replaced }
    }

    /// Removes a poll whose connection is closed. Returns whether it was parked; if not, nothing changes.
    pub fn leave(&mut self, id: PollId) -> bool {
        self.pools.leave(id).is_some()
    }

    /// Selects and removes the next poll of the pool. A poll is selected at most once.
    pub fn select(&mut self, key: &PoolKey, now: Moment) -> Option<SelectedPoll<H>> {
        let selected = self.pools.select(key, now)?;
        self.active_runs.poll_selected(&selected.poll.runner.id, selected.id, now);
        Some(selected)
    }

    /// Records an offer that has ended.
    pub fn finish_offer(&mut self, record: OfferRecord) -> RecordId {
        if let (OfferOutcome::Warm(_), Some(assigned)) = (record.outcome, &record.runner) {
            let (key, run) = (record.key.clone(), record.run.clone());
            let (runner, since) = (assigned.runner.clone(), assigned.selected_at);
            self.active_runs.start(assigned.poll, ActiveRun { runner, key, run, since });
        }
        self.offer_stats.add(record.at, record.took, record.outcome);
        self.history.push(record)
    }

    /// Records that the runner did not read an acknowledged run. Returns the offer's record.
    pub fn mark_unread(&mut self, record_id: &RecordId) -> Option<&OfferRecord> {
        if let Some((runner, poll)) = &record_id.assigned {
            self.active_runs.cancel(runner, *poll);
        }
        self.history.mark_unread(record_id)
    }

    /// Retires runners. Their parked polls are removed and returned; polls that arrive within `within` are refused.
    pub fn retire(&mut self, filter: RunnerFilter, now: Moment, within: Duration) -> Vec<Poll<H>> {
        let parked = self.pools.remove_where(|poll| filter.matches(poll));
        self.retirements.add(filter, now, within.min(MAX_RETIREMENT));
        parked
    }

    /// Periodic cleanup: removes and returns the expired polls, and removes expired active runs.
    pub fn expire(&mut self, now: Moment) -> Vec<Poll<H>> {
        self.active_runs.remove_expired(now);
        std::iter::from_fn(|| self.pools.pop_expired(now)).collect()
    }

    /// Begins the shutdown: no further poll is parked, and all parked polls are removed and returned.
    pub fn drain(&mut self) -> Vec<Poll<H>> {
        self.draining = true;
        self.pools.remove_where(|_| true)
    }

    /// The parked polls.
    pub const fn pools(&self) -> &Pools<H> {
        &self.pools
    }

    /// The active runs.
    pub const fn active_runs(&self) -> &ActiveRuns {
        &self.active_runs
    }

    /// The latest offers.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The offer counts of the last hour.
    pub const fn offer_stats(&self) -> &OfferStats {
        &self.offer_stats
    }

    /// Removes the latest offers and their counts.
    pub fn clear_history(&mut self) {
        self.history.clear();
        self.offer_stats.clear();
    }

    fn is_full_for(&self, poll: &Poll<H>) -> bool {
        self.pools.len() >= self.max_polls && !self.pools.has_runner(&poll.runner.id)
    }
}

#[cfg(test)]
mod tests;
