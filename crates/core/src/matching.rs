//! Decides the whole of matching: pools, retirements, who executes, and the history, kept consistent with one
//! another. The driver holds one of these behind one short lock and never looks inside by another way.

use std::time::Duration;

use crate::delivery::Answer;
use crate::executing::{Executing, Execution};
use crate::history::{Entry, History, Offered};
use crate::limits::RETIRE_FOR_AT_MOST;
use crate::pool::{Chosen, Order, Poll, PollId, PollTiming, PoolKey, Pools};
use crate::retire::{Retirements, Who};
use crate::series::Series;
use crate::time::Moment;

/// What became of the wish to park.
#[derive(Debug, PartialEq, Eq)]
pub enum Parking<H> {
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
    polls_at_most: usize,
    draining: bool,
    retirements: Retirements,
    executing: Executing,
    history: History,
    series: Series,
}

impl<H> Matching<H> {
    /// Nobody waits yet. `polls_at_most` follows from the connections the process may hold.
    #[must_use]
    pub fn new(order: Order, timing: PollTiming, polls_at_most: usize) -> Self {
        Self {
            pools: Pools::new(order, timing),
            polls_at_most,
            draining: false,
            retirements: Retirements::default(),
            executing: Executing::default(),
            history: History::default(),
            series: Series::default(),
        }
    }

    /// A runner polls: it executes no more, and waits unless it may not.
    pub fn park(&mut self, poll: Poll<H>) -> Parking<H> {
        self.executing.end(&poll.runner.id);
        if self.retirements.cover(&poll, poll.parked_at) {
            return Parking::Retired;
        }
        if self.draining || self.is_full_for(&poll) {
            return Parking::Closed;
        }
        let (id, replaced) = self.pools.park(poll);
        Parking::Parked { id, replaced }
    }

    /// The poll's connection is gone. Says whether it was parked; if not, nothing changes.
    pub fn leave(&mut self, id: PollId) -> bool {
        self.pools.leave(id).is_some()
    }

    /// Takes the next poll that fits; it is chosen this once.
    pub fn choose(&mut self, key: &PoolKey, now: Moment) -> Option<Chosen<H>> {
        let chosen = self.pools.choose(key, now)?;
        self.executing.chosen(&chosen.poll.runner.id, chosen.id, now);
        Some(chosen)
    }

    /// An offer has ended.
    pub fn settle(&mut self, offered: Offered) -> Entry {
        if let (Answer::Warm(_), Some(taker)) = (offered.answer, &offered.runner) {
            let (key, run) = (offered.key.clone(), offered.run.clone());
            let (runner, since) = (taker.runner.clone(), taker.chosen_at);
            self.executing.begin(taker.poll, Execution { runner, key, run, since });
        }
        self.series.add(offered.at, offered.took, offered.answer);
        self.history.push(offered)
    }

    /// A run that was acknowledged was never read. Returns what is remembered of it.
    pub fn unread(&mut self, entry: &Entry) -> Option<&Offered> {
        if let Some((runner, poll)) = &entry.taker {
            self.executing.withdraw(runner, *poll);
        }
        self.history.unread(entry)
    }

    /// Retires runners: those who wait leave and are returned, those who come within `within` are turned away.
    pub fn retire(&mut self, who: Who, now: Moment, within: Duration) -> Vec<Poll<H>> {
        let waiting = self.pools.take_all(|poll| who.fits(poll));
        self.retirements.add(who, now, within.min(RETIRE_FOR_AT_MOST));
        waiting
    }

    /// Housekeeping: returns the polls to let go, forgets runners that never came back.
    pub fn keep(&mut self, now: Moment) -> Vec<Poll<H>> {
        self.executing.forget_old(now);
        std::iter::from_fn(|| self.pools.let_go(now)).collect()
    }

    /// The service stops: nobody parks any more, all who wait leave and are returned.
    pub fn drain(&mut self) -> Vec<Poll<H>> {
        self.draining = true;
        self.pools.take_all(|_| true)
    }

    /// Who waits.
    pub const fn pools(&self) -> &Pools<H> {
        &self.pools
    }

    /// Who executes.
    pub const fn executing(&self) -> &Executing {
        &self.executing
    }

    /// What was offered lately.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// The last hour.
    pub const fn series(&self) -> &Series {
        &self.series
    }

    /// Forgets what was offered lately.
    pub fn clear_history(&mut self) {
        self.history.clear();
        self.series.clear();
    }

    fn is_full_for(&self, poll: &Poll<H>) -> bool {
        self.pools.len() >= self.polls_at_most && !self.pools.holds(&poll.runner.id)
    }
}

#[cfg(test)]
mod tests;
