//! The reference model of matching: plain lists, searched from end to end, written to be obviously right and to
//! share no idea with `core` but the words. Its truth is DESIGN.md and the contract.

use std::time::Duration;

use pilotlight_core::delivery::{Delivery, OfferOutcome};
use pilotlight_core::history::{OfferRecord, Totals};
use pilotlight_core::pool::Order;
use pilotlight_core::time::Moment;

use super::cast::{Pool, pool_of};
use super::event::{Names, Settings};

const MAX_RETIREMENTS: usize = 1000;
const MAX_RETIREMENT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const MAX_ACTIVE_RUN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// All that is true of matching.
#[derive(Debug)]
pub struct Model {
    settings: Settings,
    draining: bool,
    turn: u64,
    waiting: Vec<Waiting>,
    retired: Vec<(Meant, Moment)>,
    polled: Vec<(u16, u64)>,
    executing: Vec<Working>,
    kept: Moment,
    history: Vec<(u32, OfferRecord)>,
    totals: Totals,
}

/// A poll that waits; the list of them is in the order of parking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waiting {
    /// Which poll.
    pub poll: u32,
    /// Whose.
    pub runner: u16,
    /// For what.
    pub pool: Pool,
    /// Since when.
    pub since: Moment,
    rests: bool,
}

/// A runner that has a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Working {
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
    pub waited: Waiting,
    /// At which turn.
    pub turn: u64,
}

/// What became of the wish to park.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parked {
    /// It waits; the runner's older poll was replaced.
    Waits {
        /// The older poll.
        instead_of: Option<u32>,
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
            turn: 0,
            waiting: Vec::new(),
            retired: Vec::new(),
            polled: Vec::new(),
            executing: Vec::new(),
            kept: Moment::from_micros(0),
            history: Vec::new(),
            totals: Totals { warm: 0, cold: 0 },
        }
    }

    /// A runner polls.
    pub fn park(&mut self, poll: u32, runner: u16, pool: u8, now: Moment) -> Parked {
        self.turn += 1;
        self.polled.retain(|(known, _)| *known != runner);
        self.polled.push((runner, self.turn));
        self.executing.retain(|working| working.runner != runner);
        let pool = pool_of(pool);
        if self.retired.iter().any(|(who, until)| now < *until && who.fits(pool, runner)) {
            return Parked::Retired;
        }
        let older = self.waiting.iter().find(|waiting| waiting.runner == runner).map(|waiting| waiting.poll);
        let full = self.waiting.len() >= self.settings.max_polls && older.is_none();
        if self.draining || full {
            return Parked::Closed;
        }
        self.waiting.retain(|waiting| waiting.runner != runner);
        self.waiting.push(Waiting { poll, runner, pool, since: now, rests: false });
        Parked::Waits { instead_of: older }
    }

    /// The poll's client is gone.
    pub fn leave(&mut self, poll: u32) {
        self.waiting.retain(|waiting| waiting.poll != poll);
    }

    /// Takes the next poll that fits.
    pub fn select(&mut self, pool: u8, now: Moment) -> Option<ModelSelection> {
        self.turn += 1;
        self.look(now);
        let pool = pool_of(pool);
        let mut fitting = self.waiting.iter().filter(|waiting| !waiting.rests && waiting.pool == pool);
        let waited = *match self.settings.order {
            Order::Newest => fitting.next_back(),
            Order::Oldest => fitting.next(),
        }?;
        self.leave(waited.poll);
        Some(ModelSelection { waited, turn: self.turn })
    }

    /// An offer has ended; `taker` is who was told to have the run. A runner executes from its match until it
    /// polls again, and that may have been before this.
    pub fn finish_offer(&mut self, run: u32, offered: OfferRecord, taker: Option<ModelSelection>) {
        match offered.outcome {
            OfferOutcome::Warm(_) => self.totals.warm += 1,
            OfferOutcome::Cold => self.totals.cold += 1,
        }
        if let Some(ModelSelection { waited, turn }) = taker
            && !self.polled.iter().any(|(runner, polled)| *runner == waited.runner && *polled > turn)
        {
            let since = offered.runner.as_ref().map_or(offered.at, |taker| taker.selected_at);
            self.executing.push(Working { runner: waited.runner, run, since });
        }
        self.history.push((run, offered));
    }

    /// The program never read this run. Says what is remembered of it.
    pub fn mark_unread(&mut self, run: u32) -> Option<OfferRecord> {
        self.executing.retain(|working| working.run != run);
        let (_, offered) = self.history.iter_mut().rfind(|(known, _)| *known == run)?;
        offered.outcome = OfferOutcome::Warm(Delivery::Unread);
        Some(offered.clone())
    }

    /// Retires runners; returns the polls of those who wait.
    pub fn retire(&mut self, who: Names, now: Moment, within: Duration) -> Vec<u32> {
        let who = Meant::by(who);
        self.retired.retain(|(known, until)| *known != who && now < *until);
        if self.retired.len() == MAX_RETIREMENTS {
            self.retired.remove(0);
        }
        self.retired.push((who, now.after(within.min(MAX_RETIREMENT))));
        self.take(|waiting| who.fits(waiting.pool, waiting.runner))
    }

    /// Housekeeping; returns the polls that are let go.
    pub fn expire(&mut self, now: Moment) -> Vec<u32> {
        self.look(now);
        self.kept = now;
        self.executing.retain(|working| now.since(working.since) < MAX_ACTIVE_RUN_AGE);
        let at_last = self.settings.timeout() + Duration::from_secs(5);
        self.take(|waiting| now.since(waiting.since) >= at_last)
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
    pub fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    /// The pools of those who may be chosen as far as anybody has looked, each once.
    #[must_use]
    pub fn selectable_pools(&self) -> Vec<Pool> {
        let mut pools = Vec::new();
        for waiting in self.waiting.iter().filter(|waiting| !waiting.rests) {
            if !pools.contains(&waiting.pool) {
                pools.push(waiting.pool);
            }
        }
        pools
    }

    /// Who executes.
    #[must_use]
    pub fn executing(&self) -> &[Working] {
        &self.executing
    }

    /// When each retirement ends.
    pub fn retired_until(&self) -> impl ExactSizeIterator<Item = Moment> {
        self.retired.iter().map(|(_, until)| *until)
    }

    /// Whether who began then is forgotten by now. `core` may take a little longer, as long as the slowest offer: it
    /// forgets in the order in which offers ended.
    #[must_use]
    pub fn has_forgotten(&self, since: Moment) -> bool {
        self.kept.since(since) >= MAX_ACTIVE_RUN_AGE
    }

    /// The offers since the last clearing, the oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &OfferRecord> + ExactSizeIterator {
        self.history.iter().map(|(_, offered)| offered)
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
    fn look(&mut self, now: Moment) {
        let selectable_for = self.selectable_for();
        for waiting in &mut self.waiting {
            waiting.rests |= now.since(waiting.since) >= selectable_for;
        }
    }

    fn take(&mut self, leaves: impl Fn(&Waiting) -> bool) -> Vec<u32> {
        let gone =
            self.waiting.iter().filter(|waiting| leaves(waiting)).map(|waiting| waiting.poll).collect();
        self.waiting.retain(|waiting| !leaves(waiting));
        gone
    }
}

/// Whom names mean: two pools may be of one deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meant {
    deployment: Option<&'static str>,
    version: Option<&'static str>,
    runner: Option<u16>,
}

impl Meant {
    fn by(names: Names) -> Self {
        Self {
            deployment: names.deployment_of.map(|number| pool_of(number).deployment),
            version: names.version_of.map(|number| pool_of(number).version),
            runner: names.runner,
        }
    }

    fn fits(self, pool: Pool, runner: u16) -> bool {
        self.deployment.is_none_or(|name| name == pool.deployment)
            && self.version.is_none_or(|name| name == pool.version)
            && self.runner.is_none_or(|number| number == runner)
    }
}
