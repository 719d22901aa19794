//! Decides the whole of matching: pools, retirements, who executes, and the history, kept consistent with one
//! another. The driver holds one of these behind one short lock and never looks inside by another way.

use std::time::Duration;

use crate::active_runs::{ActiveRun, ActiveRuns};
use crate::delivery::OfferOutcome;
use crate::history::{History, OfferRecord, RecordId};
use crate::limits::MAX_RETIREMENT;
use crate::offer_stats::OfferStats;
use crate::pool::{Order, Poll, PollId, PollTiming, PoolKey, Pools, SelectedPoll};
use crate::retire::{Retirements, RunnerFilter};
use crate::time::Moment;

/// What became of the wish to park.
#[derive(Debug, PartialEq, Eq)]
pub enum ParkResult<H> {
    /// It waits. The same runner's older poll was replaced: close it without a byte.
    Parked {
        /// Names the poll.
        id: PollId,
        /// The older poll.
        replaced: Option<Poll<H>>,
    },
    /// Its runner was retired on purpose: tell it, so that it exits.
    Retired,
    /// The service is stopping, or holds as many polls as it may: close it without a byte, it will ask again.
    Closed,
}

/// Everything matching knows.
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
    /// Nobody waits yet. `max_polls` follows from the connections the process may hold.
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

    /// A runner polls: it executes no more, and waits unless it may not.
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

    /// The poll's connection is gone. Says whether it was parked; if not, nothing changes.
    pub fn leave(&mut self, id: PollId) -> bool {
        self.pools.leave(id).is_some()
    }

    /// Takes the next poll that fits; it is chosen this once.
    pub fn select(&mut self, key: &PoolKey, now: Moment) -> Option<SelectedPoll<H>> {
        let selected = self.pools.select(key, now)?;
        self.active_runs.poll_selected(&selected.poll.runner.id, selected.id, now);
        Some(selected)
    }

    /// An offer has ended.
    pub fn finish_offer(&mut self, record: OfferRecord) -> RecordId {
        if let (OfferOutcome::Warm(_), Some(assigned)) = (record.outcome, &record.runner) {
            let (key, run) = (record.key.clone(), record.run.clone());
            let (runner, since) = (assigned.runner.clone(), assigned.selected_at);
            self.active_runs.start(assigned.poll, ActiveRun { runner, key, run, since });
        }
        self.offer_stats.add(record.at, record.took, record.outcome);
        self.history.push(record)
    }

    /// A run that was acknowledged was never read. Returns what is remembered of it.
    pub fn mark_unread(&mut self, record_id: &RecordId) -> Option<&OfferRecord> {
        if let Some((runner, poll)) = &record_id.assigned {
            self.active_runs.cancel(runner, *poll);
        }
        self.history.mark_unread(record_id)
    }

    /// Retires runners: those who wait leave and are returned, those who come within `within` are turned away.
    pub fn retire(&mut self, filter: RunnerFilter, now: Moment, within: Duration) -> Vec<Poll<H>> {
        let parked = self.pools.remove_where(|poll| filter.matches(poll));
        self.retirements.add(filter, now, within.min(MAX_RETIREMENT));
        parked
    }

    /// Housekeeping: returns the polls to let go, forgets runners that never came back.
    pub fn expire(&mut self, now: Moment) -> Vec<Poll<H>> {
        self.active_runs.remove_expired(now);
        std::iter::from_fn(|| self.pools.pop_expired(now)).collect()
    }

    /// The service stops: nobody parks any more, all who wait leave and are returned.
    pub fn drain(&mut self) -> Vec<Poll<H>> {
        self.draining = true;
        self.pools.remove_where(|_| true)
    }

    /// Who waits.
    pub const fn pools(&self) -> &Pools<H> {
        &self.pools
    }

    /// Who executes.
    pub const fn active_runs(&self) -> &ActiveRuns {
        &self.active_runs
    }

    /// What was offered lately.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The last hour.
    pub const fn offer_stats(&self) -> &OfferStats {
        &self.offer_stats
    }

    /// Forgets what was offered lately.
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
