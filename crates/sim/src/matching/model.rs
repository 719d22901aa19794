//! The reference model of matching: plain lists, searched from end to end, written to be obviously right and to
//! share no idea with `core` but the words. Its truth is DESIGN.md and the contract.

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

/// All that is true of matching.
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

/// A poll that waits; the list of them is in the order of parking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParkedPoll {
    /// Which poll.
    pub poll: u32,
    /// Whose.
    pub runner: u16,
    /// For what.
    pub pool: Pool,
    /// Since when.
    pub since: Moment,
    is_unselectable: bool,
}

/// A runner that has a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelRun {
    /// Who.
    pub runner: u16,
    /// By which offer.
    pub run: u32,
    /// Since when.
    pub since: Moment,
}

/// A poll that was chosen, and the model's turn at which that was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelSelection {
    /// Which poll, as it waited.
    pub poll: ParkedPoll,
    /// At which turn.
    pub step: u64,
}

/// What became of the wish to park.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkOutcome {
    /// It waits; the runner's older poll was replaced.
    Parked {
        /// The older poll.
        replaced: Option<u32>,
    },
    /// Turned away on purpose.
    Retired,
    /// Closed.
    Closed,
}

impl Model {
    /// Nobody waits yet.
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

    /// A runner polls.
    pub fn park(&mut self, poll: u32, runner: u16, pool: u8, now: Moment) -> ParkOutcome {
        self.step += 1;
        self.polled.retain(|(known, _)| *known != runner);
        self.polled.push((runner, self.step));
        self.active_runs.retain(|active| active.runner != runner);
        let pool = pool_number(pool);
        if self.retirements.iter().any(|(target, until)| now < *until && target.fits(pool, runner)) {
            return ParkOutcome::Retired;
        }
        let older = self.parked.iter().find(|parked| parked.runner == runner).map(|parked| parked.poll);
        let full = self.parked.len() >= self.settings.max_polls && older.is_none();
        if self.draining || full {
            return ParkOutcome::Closed;
        }
        self.parked.retain(|parked| parked.runner != runner);
        self.parked.push(ParkedPoll { poll, runner, pool, since: now, is_unselectable: false });
        ParkOutcome::Parked { replaced: older }
    }

    /// The poll's client is gone.
    pub fn leave(&mut self, poll: u32) {
        self.parked.retain(|parked| parked.poll != poll);
    }

    /// Takes the next poll that fits.
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

    /// An offer has ended; `selection` is who was told to have the run. A runner executes from its match until it
    /// polls again, and that may have been before this.
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

    /// The program never read this run. Says what is remembered of it.
    pub fn mark_unread(&mut self, run: u32) -> Option<OfferRecord> {
        self.active_runs.retain(|active| active.run != run);
        let (_, record) = self.history.iter_mut().rfind(|(known, _)| *known == run)?;
        record.outcome = OfferOutcome::Warm(Delivery::Unread);
        Some(record.clone())
    }

    /// Retires runners; returns the polls of those who wait.
    pub fn retire(&mut self, target: RetireTarget, now: Moment, within: Duration) -> Vec<u32> {
        let target = ResolvedTarget::by(target);
        self.retirements.retain(|(known, until)| *known != target && now < *until);
        if self.retirements.len() == MAX_RETIREMENTS {
            self.retirements.remove(0);
        }
        self.retirements.push((target, now.after(within.min(MAX_RETIREMENT))));
        self.take(|parked| target.fits(parked.pool, parked.runner))
    }

    /// Housekeeping; returns the polls that are let go.
    pub fn expire(&mut self, now: Moment) -> Vec<u32> {
        self.make_unselectable(now);
        self.expired_at = now;
        self.active_runs.retain(|active| now.since(active.since) < MAX_ACTIVE_RUN_AGE);
        let at_last = self.settings.timeout() + Duration::from_secs(5);
        self.take(|parked| now.since(parked.since) >= at_last)
    }

    /// The service stops; returns all polls.
    pub fn drain(&mut self) -> Vec<u32> {
        self.draining = true;
        self.take(|_| true)
    }

    /// Forgets what was offered lately.
    pub fn clear_history(&mut self) {
        self.history.clear();
        self.totals = Totals::default();
    }

    /// Who waits, the longest first.
    #[must_use]
    pub fn parked(&self) -> &[ParkedPoll] {
        &self.parked
    }

    /// The pools of those who may be chosen as far as anybody has looked, each once.
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

    /// Who executes.
    #[must_use]
    pub fn active_runs(&self) -> &[ModelRun] {
        &self.active_runs
    }

    /// When each retirement ends.
    pub fn retired_until(&self) -> impl ExactSizeIterator<Item = Moment> {
        self.retirements.iter().map(|(_, until)| *until)
    }

    /// Whether who began then is forgotten by now. `core` may take a little longer, as long as the slowest offer: it
    /// forgets in the order in which offers ended.
    #[must_use]
    pub fn may_have_expired(&self, since: Moment) -> bool {
        self.expired_at.since(since) >= MAX_ACTIVE_RUN_AGE
    }

    /// The offers since the last clearing, the oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &OfferRecord> + ExactSizeIterator {
        self.history.iter().map(|(_, record)| record)
    }

    /// Counts since the last clearing.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// A poll is not chosen in the last quarter of its client's time-out, of which a second is enough.
    #[must_use]
    pub fn selectable_for(&self) -> Duration {
        let timeout = self.settings.timeout();
        timeout - (timeout / 4).min(Duration::from_secs(1))
    }

    /// From its guard on a poll rests, for ever.
    fn make_unselectable(&mut self, now: Moment) {
        let selectable_for = self.selectable_for();
        for parked in &mut self.parked {
            parked.is_unselectable |= now.since(parked.since) >= selectable_for;
        }
    }

    fn take(&mut self, leaves: impl Fn(&ParkedPoll) -> bool) -> Vec<u32> {
        let gone = self.parked.iter().filter(|parked| leaves(parked)).map(|parked| parked.poll).collect();
        self.parked.retain(|parked| !leaves(parked));
        gone
    }
}

/// Whom names mean: two pools may be of one deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ResolvedTarget {
    deployment: Option<&'static str>,
    version: Option<&'static str>,
    runner: Option<u16>,
}

impl ResolvedTarget {
    fn by(names: RetireTarget) -> Self {
        Self {
            deployment: names.deployment_of.map(|number| pool_number(number).deployment),
            version: names.version_of.map(|number| pool_number(number).version),
            runner: names.runner,
        }
    }

    fn fits(self, pool: Pool, runner: u16) -> bool {
        self.deployment.is_none_or(|name| name == pool.deployment)
            && self.version.is_none_or(|name| name == pool.version)
            && self.runner.is_none_or(|number| number == runner)
    }
}
