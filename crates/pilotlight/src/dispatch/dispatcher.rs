//! The one owner of matching's state, behind one short lock under which nothing waits.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pilotlight_core::delivery::AckMode;
use pilotlight_core::matching::Matching;
use pilotlight_core::pool::{Order, Poll, PollId, PollTiming};
use pilotlight_core::retire::RunnerFilter;
use pilotlight_core::time::Moment;

use super::park::{Verdict, Way};
use super::slot::Tell;
use crate::clock::Clock;
use crate::net::conn::Conn;
use crate::telemetry::event_queue::EventSender;
use crate::telemetry::metrics::Metrics;

/// Settings of the driver.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Which poll of a pool is next.
    pub order: Order,
    /// What runners are told: after how long they abort a poll by themselves.
    pub connection_timeout: Duration,
    /// Polls that may be parked at once.
    pub polls_at_most: usize,
    /// What a dispatch needs to be believed.
    pub ack_mode: AckMode,
    /// How long the acknowledged bytes may stand still before a poll counts as dead.
    pub ack_deadline: Duration,
}

/// How to reach a parked poll. Dropping it closes the poll's connection without a byte.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) conn: Arc<Conn>,
    pub(super) way: Way,
    pub(super) tell: Tell<Verdict>,
}

/// Parks polls and dispatches runs to them.
#[derive(Debug)]
pub struct Dispatcher {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) offer_events: EventSender,
    matching: Mutex<Matching<Waiter>>,
}

impl Dispatcher {
    /// With nobody parked.
    #[must_use]
    pub fn new(
        settings: Settings,
        clock: Clock,
        metrics: Arc<Metrics>,
        offer_events: EventSender,
    ) -> Arc<Self> {
        let timing = PollTiming::for_clients(settings.connection_timeout);
        let matching = Matching::new(settings.order, timing, settings.polls_at_most);
        Arc::new(Self { settings, clock, metrics, offer_events, matching: Mutex::new(matching) })
    }

    /// What a dispatch needs to be believed.
    #[must_use]
    pub const fn ack_mode(&self) -> AckMode {
        self.settings.ack_mode
    }

    /// Reads matching's state. `read` must be short: everybody else waits.
    pub fn read<T>(&self, read: impl FnOnce(View<'_>) -> T) -> T {
        read(View { matching: &self.matching() })
    }

    /// Retires runners. Returns how many were waiting, and until when others are turned away.
    pub fn retire(&self, who: RunnerFilter, within: Duration) -> (usize, Moment) {
        let now = self.clock.now();
        let waiting = self.matching().retire(who, now, within);
        let retired = waiting.len();
        for poll in waiting {
            tell(poll, Verdict::Retired);
        }
        (retired, now.after(within))
    }

    /// Forgets the offers of the past.
    pub fn clear_history(&self) {
        self.matching().clear_history();
    }

    /// Parks nobody any more, and closes the connection of everybody who waits without a byte.
    pub fn drain(&self) -> usize {
        self.matching().drain().len()
    }

    pub(super) fn matching(&self) -> MutexGuard<'_, Matching<Waiter>> {
        self.matching.lock().expect("nothing panics under this lock")
    }
}

/// A poll that left in the meantime is not there to be told.
fn tell(poll: Poll<Waiter>, verdict: Verdict) {
    _ = poll.handle.tell.say(verdict);
}

/// Matching's state, to be read.
#[derive(Debug)]
pub struct View<'a> {
    matching: &'a Matching<Waiter>,
}

impl View<'_> {
    /// Runners that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.matching.pools().len()
    }

    /// Deployments with a runner that may be chosen.
    #[must_use]
    pub fn deployments(&self) -> usize {
        let ids: std::collections::HashSet<_> =
            self.matching.pools().keys().map(|key| &key.deployment).collect();
        ids.len()
    }

    /// The waiting polls, the longest wait first.
    pub fn polls(&self) -> impl Iterator<Item = Waiting<'_>> {
        self.matching.pools().oldest_first().map(Waiting::of)
    }

    /// The waiting polls' ids, in no order.
    pub fn poll_ids(&self) -> impl Iterator<Item = PollId> {
        self.matching.pools().ids()
    }

    /// A poll, while it waits.
    #[must_use]
    pub fn poll(&self, id: PollId) -> Option<Waiting<'_>> {
        self.matching.pools().get(id).map(Waiting::of)
    }

    /// The last hour's offers by time.
    #[must_use]
    pub const fn series(&self) -> &pilotlight_core::offer_stats::OfferStats {
        self.matching.offer_stats()
    }

    /// Runners that have a run.
    #[must_use]
    pub const fn executing(&self) -> &pilotlight_core::active_runs::ActiveRuns {
        self.matching.active_runs()
    }

    /// The offers of the past.
    #[must_use]
    pub const fn history(&self) -> &pilotlight_core::history::History {
        self.matching.history()
    }
}

/// A waiting poll, to be read.
#[derive(Debug)]
pub struct Waiting<'a> {
    /// Which runs fit it.
    pub key: &'a pilotlight_core::pool::PoolKey,
    /// Who waits.
    pub runner: &'a pilotlight_core::ids::Runner,
    /// Since when.
    pub parked_at: Moment,
}

impl<'a> Waiting<'a> {
    const fn of(poll: &'a Poll<Waiter>) -> Self {
        Self { key: &poll.key, runner: &poll.runner, parked_at: poll.parked_at }
    }
}
