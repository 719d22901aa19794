//! The reference model of matching: plain lists that are searched from end to end. It is written to be obviously
//! correct, and shares only names with `core`. Source: ARCHITECTURE.md and docs/protocols/warm-start.md.

use std::time::Duration;

use pilotlight_core::delivery::{Delivery, OfferOutcome};
use pilotlight_core::history::{OfferRecord, Totals};
use pilotlight_core::pool::Order;
use pilotlight_core::time::Moment;

use super::event::{RetireTarget, Settings};
use super::fixtures::{Pool, pool_number};

const MAX_RETIREMENTS: usize = 1000;
const MAX_RETIREMENT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const MAX_ACTIVE_RUN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The state of the model.
#[derive(Debug)]
pub struct Model {
    settings: Settings,
    draining: bool,
    step: u64,
    parked: Vec<ParkedPoll>,
    retirements: Vec<(ResolvedTarget, Moment)>,
    polled: Vec<(u16, u64)>,
    active_runs: Vec<ModelRun>,
    expired_at: Moment,
    history: Vec<(u32, OfferRecord)>,
    totals: Totals,
}

/// A parked poll. The list of polls is in the order of parking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParkedPoll {
    /// The number of the poll.
    pub poll: u32,
    /// The runner that polls.
    pub runner: u16,
    /// The pool of the poll.
    pub pool: Pool,
    /// When the poll was parked.
    pub since: Moment,
    is_unselectable: bool,
}

/// A run that a runner executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelRun {
    /// The runner.
    pub runner: u16,
    /// The offer that the runner was selected for.
    pub run: u32,
    /// When the execution began.
    pub since: Moment,
}

/// A selected poll, and the model's step in which it was selected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelSelection {
    /// The poll as it was parked.
    pub poll: ParkedPoll,
    /// The number of the step.
    pub step: u64,
}

/// The outcome of parking a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkOutcome {
    /// The poll is parked; an older poll of the same runner was replaced.
    Parked {
        /// The older poll.
        replaced: Option<u32>,
    },
    /// The runner is retired.
    Retired,
    /// The service is stopping or full.
    Closed,
}

impl Model {
    /// An empty model.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            draining: false,
            step: 0,
            parked: Vec::new(),
            retirements: Vec::new(),
            polled: Vec::new(),
            active_runs: Vec::new(),
            expired_at: Moment::from_micros(0),
            history: Vec::new(),
            totals: Totals { warm: 0, cold: 0 },
        }
    }

    /// Parks the poll of a runner.
    pub fn park(&mut self, poll: u32, runner: u16, pool: u8, now: Moment) -> ParkOutcome {
        self.step += 1;
        self.polled.retain(|(other, _)| *other != runner);
        self.polled.push((runner, self.step));
        self.active_runs.retain(|active| active.runner != runner);
        let pool = pool_number(pool);
        if self.retirements.iter().any(|(target, until)| now < *until && target.fits(pool, runner)) {
            return ParkOutcome::Retired;
        }
        let older = self.parked.iter().find(|parked| parked.runner == runner).map(|parked| parked.poll);
        let is_full = self.parked.len() >= self.settings.max_polls && older.is_none();
        if self.draining || is_full {
            return ParkOutcome::Closed;
        }
        self.parked.retain(|parked| parked.runner != runner);
        self.parked.push(ParkedPoll { poll, runner, pool, since: now, is_unselectable: false });
        ParkOutcome::Parked { replaced: older }
    }

    /// Removes the poll of a client that has disconnected.
    pub fn leave(&mut self, poll: u32) {
        self.parked.retain(|parked| parked.poll != poll);
    }

    /// Selects and removes the next poll of the pool.
    pub fn select(&mut self, pool: u8, now: Moment) -> Option<ModelSelection> {
        self.step += 1;
        self.make_unselectable(now);
        let pool = pool_number(pool);
        let mut fitting = self.parked.iter().filter(|parked| !parked.is_unselectable && parked.pool == pool);
        let poll = *match self.settings.order {
            Order::Newest => fitting.next_back(),
            Order::Oldest => fitting.next(),
        }?;
        self.leave(poll.poll);
        Some(ModelSelection { poll, step: self.step })
    }

    /// An offer has ended; `selection` is the poll that got the run, according to the answer. A runner executes from
    /// its match until it polls again, which may have been before this call.
    pub fn finish_offer(&mut self, run: u32, record: OfferRecord, selection: Option<ModelSelection>) {
        match record.outcome {
            OfferOutcome::Warm(_) => self.totals.warm += 1,
            OfferOutcome::Cold => self.totals.cold += 1,
        }
        if let Some(ModelSelection { poll, step }) = selection
            && !self.polled.iter().any(|(runner, polled)| *runner == poll.runner && *polled > step)
        {
            let since = record.runner.as_ref().map_or(record.at, |selection| selection.selected_at);
            self.active_runs.push(ModelRun { runner: poll.runner, run, since });
        }
        self.history.push((run, record));
    }

    /// The runner's program did not read the run. Returns the offer's record.
    pub fn mark_unread(&mut self, run: u32) -> Option<OfferRecord> {
        self.active_runs.retain(|active| active.run != run);
        let (_, record) = self.history.iter_mut().rfind(|(other, _)| *other == run)?;
        record.outcome = OfferOutcome::Warm(Delivery::Unread);
        Some(record.clone())
    }

    /// Retires runners; returns their parked polls.
    pub fn retire(&mut self, target: RetireTarget, now: Moment, within: Duration) -> Vec<u32> {
        let target = ResolvedTarget::new(target);
        self.retirements.retain(|(other, until)| *other != target && now < *until);
        if self.retirements.len() == MAX_RETIREMENTS {
            self.retirements.remove(0);
        }
        self.retirements.push((target, now.after(within.min(MAX_RETIREMENT))));
        self.remove(|parked| target.fits(parked.pool, parked.runner))
    }

    /// Periodic cleanup; returns the expired polls.
    pub fn expire(&mut self, now: Moment) -> Vec<u32> {
        self.make_unselectable(now);
        self.expired_at = now;
        self.active_runs.retain(|active| now.since(active.since) < MAX_ACTIVE_RUN_AGE);
        let max_age = self.settings.timeout() + Duration::from_secs(5);
        self.remove(|parked| now.since(parked.since) >= max_age)
    }

    /// Begins the shutdown; returns all polls.
    pub fn drain(&mut self) -> Vec<u32> {
        self.draining = true;
        self.remove(|_| true)
    }

    /// Removes the latest offers.
    pub fn clear_history(&mut self) {
        self.history.clear();
        self.totals = Totals::default();
    }

    /// The parked polls, the oldest first.
    #[must_use]
    pub fn parked(&self) -> &[ParkedPoll] {
        &self.parked
    }

    /// The pools of the polls that are selectable as of the last operation, without duplicates.
    #[must_use]
    pub fn selectable_pools(&self) -> Vec<Pool> {
        let mut pools = Vec::new();
        for parked in self.parked.iter().filter(|parked| !parked.is_unselectable) {
            if !pools.contains(&parked.pool) {
                pools.push(parked.pool);
            }
        }
        pools
    }

    /// The active runs.
    #[must_use]
    pub fn active_runs(&self) -> &[ModelRun] {
        &self.active_runs
    }

    /// When each retirement ends.
    pub fn retired_until(&self) -> impl ExactSizeIterator<Item = Moment> {
        self.retirements.iter().map(|(_, until)| *until)
    }

    /// Whether an active run that began at `since` may have been removed. `core` may remove it later, by up to the
    /// duration of the slowest offer, because it removes runs in the order in which their offers ended.
    #[must_use]
    pub fn may_have_expired(&self, since: Moment) -> bool {
        self.expired_at.since(since) >= MAX_ACTIVE_RUN_AGE
    }

    /// The offers since the history was last cleared, the oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &OfferRecord> + ExactSizeIterator {
        self.history.iter().map(|(_, record)| record)
    }

    /// The counts since the history was last cleared.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// How long a poll is selectable: until the last quarter of its client's timeout begins, or its last second if that
    /// is shorter.
    #[must_use]
    pub fn selectable_for(&self) -> Duration {
        let timeout = self.settings.timeout();
        timeout - (timeout / 4).min(Duration::from_secs(1))
    }

    /// Makes the polls unselectable that are no longer selectable at this time. They stay unselectable.
    fn make_unselectable(&mut self, now: Moment) {
        let selectable_for = self.selectable_for();
        for parked in &mut self.parked {
            parked.is_unselectable |= now.since(parked.since) >= selectable_for;
        }
    }

    fn remove(&mut self, is_removed: impl Fn(&ParkedPoll) -> bool) -> Vec<u32> {
        let removed =
            self.parked.iter().filter(|parked| is_removed(parked)).map(|parked| parked.poll).collect();
        self.parked.retain(|parked| !is_removed(parked));
        removed
    }
}

/// The runners of a retirement, by the names of the deployment and the version: two pools may have the same deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ResolvedTarget {
    deployment: Option<&'static str>,
    version: Option<&'static str>,
    runner: Option<u16>,
}

impl ResolvedTarget {
    fn new(target: RetireTarget) -> Self {
        Self {
            deployment: target.deployment_of.map(|number| pool_number(number).deployment),
            version: target.version_of.map(|number| pool_number(number).version),
            runner: target.runner,
        }
    }

    fn fits(self, pool: Pool, runner: u16) -> bool {
        self.deployment.is_none_or(|name| name == pool.deployment)
            && self.version.is_none_or(|name| name == pool.version)
            && self.runner.is_none_or(|number| number == runner)
    }
}
