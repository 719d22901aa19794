//! The one owner of matching's state, behind one short lock under which nothing waits.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pilotlight_core::delivery::AckMode;
use pilotlight_core::matching::Matching;
use pilotlight_core::pool::{Order, Poll, PollId, PollTiming};
use pilotlight_core::retire::RunnerFilter;
use pilotlight_core::time::Moment;

use super::handoff::HandoffSender;
use super::park::{PollOutcome, ResponsePath};
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
    pub max_polls: usize,
    /// What a dispatch needs to be believed.
    pub ack_mode: AckMode,
    /// How long the acknowledged bytes may stand still before a poll counts as dead.
    pub ack_deadline: Duration,
}

/// How to reach a parked poll. Dropping it closes the poll's connection without a byte.
#[derive(Debug)]
pub(super) struct PollHandle {
    pub(super) conn: Arc<Conn>,
    pub(super) response_path: ResponsePath,
    pub(super) sender: HandoffSender<PollOutcome>,
}

/// Parks polls and dispatches runs to them.
#[derive(Debug)]
pub struct Dispatcher {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) offer_events: EventSender,
    matching: Mutex<Matching<PollHandle>>,
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
        let matching = Matching::new(settings.order, timing, settings.max_polls);
        Arc::new(Self { settings, clock, metrics, offer_events, matching: Mutex::new(matching) })
    }

    /// What a dispatch needs to be believed.
    #[must_use]
    pub const fn ack_mode(&self) -> AckMode {
        self.settings.ack_mode
    }

    /// Reads matching's state. `read` must be short: everybody else waits.
    pub fn read<T>(&self, read: impl FnOnce(MatchingView<'_>) -> T) -> T {
        read(MatchingView { matching: &self.matching() })
    }

    /// Retires runners. Returns how many were waiting, and until when others are turned away.
    pub fn retire(&self, filter: RunnerFilter, within: Duration) -> (usize, Moment) {
        let now = self.clock.now();
        let polls = self.matching().retire(filter, now, within);
        let retired = polls.len();
        for poll in polls {
            send_outcome(poll, PollOutcome::Retired);
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

    pub(super) fn matching(&self) -> MutexGuard<'_, Matching<PollHandle>> {
        self.matching.lock().expect("nothing panics under this lock")
    }
}

/// A poll that left in the meantime is not there to be told.
fn send_outcome(poll: Poll<PollHandle>, outcome: PollOutcome) {
    _ = poll.handle.sender.send(outcome);
}

/// Matching's state, to be read.
#[derive(Debug)]
pub struct MatchingView<'a> {
    matching: &'a Matching<PollHandle>,
}

impl MatchingView<'_> {
    /// Runners that wait.
    #[must_use]
    pub fn parked_count(&self) -> usize {
        self.matching.pools().len()
    }

    /// Deployments with a runner that may be chosen.
    #[must_use]
    pub fn deployment_count(&self) -> usize {
        let ids: std::collections::HashSet<_> =
            self.matching.pools().keys().map(|key| &key.deployment).collect();
        ids.len()
    }

    /// The waiting polls, the longest wait first.
    pub fn polls(&self) -> impl Iterator<Item = ParkedPollView<'_>> {
        self.matching.pools().oldest_first().map(ParkedPollView::of)
    }

    /// The waiting polls' ids, in no order.
    pub fn poll_ids(&self) -> impl Iterator<Item = PollId> {
        self.matching.pools().ids()
    }

    /// A poll, while it waits.
    #[must_use]
    pub fn poll(&self, id: PollId) -> Option<ParkedPollView<'_>> {
        self.matching.pools().get(id).map(ParkedPollView::of)
    }

    /// The last hour's offers by time.
    #[must_use]
    pub const fn offer_stats(&self) -> &pilotlight_core::offer_stats::OfferStats {
        self.matching.offer_stats()
    }

    /// Runners that have a run.
    #[must_use]
    pub const fn active_runs(&self) -> &pilotlight_core::active_runs::ActiveRuns {
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
pub struct ParkedPollView<'a> {
    /// Which runs fit it.
    pub key: &'a pilotlight_core::pool::PoolKey,
    /// Who waits.
    pub runner: &'a pilotlight_core::ids::Runner,
    /// Since when.
    pub parked_at: Moment,
}

impl<'a> ParkedPollView<'a> {
    const fn of(poll: &'a Poll<PollHandle>) -> Self {
        Self { key: &poll.key, runner: &poll.runner, parked_at: poll.parked_at }
    }
}
