//! Owns the matching state (pools, retirements, history) behind one short lock. No code waits while it has the lock.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pilotlight_core::delivery::AckMode;
use pilotlight_core::matching::Matching;
use pilotlight_core::pool::{Order, Poll, PollId, PollTiming};
use pilotlight_core::retire::RunnerFilter;
use pilotlight_core::time::Moment;
use pilotlight_net::clock::Clock;

use crate::telemetry::event_queue::EventSender;
use crate::warm_start::metrics::WarmStartMetrics;
use crate::warm_start::poll_handle::{PollHandle, PollOutcome};

/// Settings of the dispatcher.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Which poll of a pool is selected first.
    pub order: Order,
    /// The time-out that `/connect` gives to runners: they abort a poll after it.
    pub connection_timeout: Duration,
    /// How many polls may be parked at once.
    pub max_polls: usize,
    /// What proves a dispatch: the acknowledgement of the runner's kernel, or only the completed write.
    pub ack_mode: AckMode,
    /// How long a dispatch may go on without newly acknowledged bytes before its poll counts as dead.
    pub ack_deadline: Duration,
}

/// Parks polls and dispatches runs to them.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<WarmStartMetrics>,
    pub(super) offer_events: EventSender,
    matching: Mutex<Matching<PollHandle>>,
}

impl Dispatcher {
    /// Without parked polls.
    #[must_use]
    pub(crate) fn new(
        settings: Settings,
        clock: Clock,
        metrics: Arc<WarmStartMetrics>,
        offer_events: EventSender,
    ) -> Arc<Self> {
        let timing = PollTiming::for_clients(settings.connection_timeout);
        let matching = Matching::new(settings.order, timing, settings.max_polls);
        Arc::new(Self { settings, clock, metrics, offer_events, matching: Mutex::new(matching) })
    }

    /// What proves a dispatch: the acknowledgement of the runner's kernel, or only the completed write.
    #[must_use]
    pub(crate) const fn ack_mode(&self) -> AckMode {
        self.settings.ack_mode
    }

    /// Reads the matching state. `read` must be short, because it runs under the lock.
    pub(crate) fn read<T>(&self, read: impl FnOnce(MatchingView<'_>) -> T) -> T {
        read(MatchingView { matching: &self.matching() })
    }

    /// Retires the runners that match `filter`: their parked polls are answered, and polls that come `within` this
    /// time are refused. Returns how many were parked, and when the refusal ends.
    pub(crate) fn retire(&self, filter: RunnerFilter, within: Duration) -> (usize, Moment) {
        let now = self.clock.now();
        let polls = self.matching().retire(filter, now, within);
        let retired = polls.len();
        for poll in polls {
            send_outcome(poll, PollOutcome::Retired);
        }
        (retired, now.after(within))
    }

    /// Deletes the history of ended offers.
    pub(crate) fn clear_history(&self) {
        self.matching().clear_history();
    }

    /// Stops parking, and closes the connection of every parked poll without a byte. Returns how many there were.
    pub(crate) fn drain(&self) -> usize {
        self.matching().drain().len()
    }

    pub(super) fn matching(&self) -> MutexGuard<'_, Matching<PollHandle>> {
        self.matching.lock().expect("nothing panics under this lock")
    }
}

/// Sends an outcome. The error means that the poll has left; nothing more is needed then.
fn send_outcome(poll: Poll<PollHandle>, outcome: PollOutcome) {
    _ = poll.handle.sender.send(outcome);
}

/// Read access to the matching state.
#[derive(Debug)]
pub(crate) struct MatchingView<'a> {
    matching: &'a Matching<PollHandle>,
}

impl MatchingView<'_> {
    /// How many polls are parked.
    #[must_use]
    pub(crate) fn parked_count(&self) -> usize {
        self.matching.pools().len()
    }

    /// How many deployments have a poll that can be selected.
    #[must_use]
    pub(crate) fn deployment_count(&self) -> usize {
        let ids: std::collections::HashSet<_> =
            self.matching.pools().keys().map(|key| &key.deployment).collect();
        ids.len()
    }

    /// The parked polls, the longest wait first.
    pub(crate) fn polls(&self) -> impl Iterator<Item = ParkedPollView<'_>> {
        self.matching.pools().oldest_first().map(ParkedPollView::of)
    }

    /// The ids of the parked polls, in no particular order.
    pub(crate) fn poll_ids(&self) -> impl Iterator<Item = PollId> {
        self.matching.pools().ids()
    }

    /// A parked poll; `None` when it is no longer parked.
    #[must_use]
    pub(crate) fn poll(&self, id: PollId) -> Option<ParkedPollView<'_>> {
        self.matching.pools().get(id).map(ParkedPollView::of)
    }

    /// The offers of the last hour, over time.
    #[must_use]
    pub(crate) const fn offer_stats(&self) -> &pilotlight_core::offer_stats::OfferStats {
        self.matching.offer_stats()
    }

    /// The runners that execute a run.
    #[must_use]
    pub(crate) const fn active_runs(&self) -> &pilotlight_core::active_runs::ActiveRuns {
        self.matching.active_runs()
    }

    /// The history of ended offers.
    #[must_use]
    pub(crate) const fn history(&self) -> &pilotlight_core::history::History {
        self.matching.history()
    }
}

/// Read access to one parked poll.
#[derive(Debug)]
pub(crate) struct ParkedPollView<'a> {
    /// Its pool: which runs fit it.
    pub key: &'a pilotlight_core::pool::PoolKey,
    /// The runner that sent the poll.
    pub runner: &'a pilotlight_core::ids::Runner,
    /// When it was parked.
    pub parked_at: Moment,
}

impl<'a> ParkedPollView<'a> {
    const fn of(poll: &'a Poll<PollHandle>) -> Self {
        Self { key: &poll.key, runner: &poll.runner, parked_at: poll.parked_at }
    }
}
