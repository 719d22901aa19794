//! Brings jobs to the polls that wait: sends a poll to the store, hands over what it finds, and follows it until the
//! runner's kernel has it. What does not arrive is given back at once.

use std::sync::{Arc, Mutex, MutexGuard};

use pilotlight_core::delivery::{DeliveryTimeouts, Event as Seen, Next, Offer, OfferOutcome};
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{Event, JobId, LeaseId};
use pilotlight_core::job_matcher::{JobMatcher, Match};
use pilotlight_core::pool::{Order, Poll};
use pilotlight_store::{LeasedJob, RunnerOutput};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::driver::Jobs;
use super::stay::{Handing, Verdict};
use crate::clock::Clock;
use crate::dispatch::handoff::HandoffSender;
use crate::dispatch::in_flight::InFlightDelivery;
use crate::net::conn::Conn;
use crate::telemetry::log_throttle::LogThrottle;

/// Who waits, and the dispatches under way.
#[derive(Debug)]
pub(super) struct Desk {
    line: Mutex<JobMatcher<Waiter>>,
    pub(super) tasks: TaskTracker,
    /// Each poll goes to a store that does not answer.
    failed: LogThrottle,
}

/// How to reach a poll that waits. Dropping it closes the poll's connection without a byte.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) conn: Arc<Conn>,
    pub(super) tell: HandoffSender<Verdict>,
}

impl Desk {
    pub(super) fn new(order: Order) -> Self {
        Self {
            line: Mutex::new(JobMatcher::new(order)),
            tasks: TaskTracker::new(),
            failed: LogThrottle::new(),
        }
    }

    pub(super) fn line(&self) -> MutexGuard<'_, JobMatcher<Waiter>> {
        self.line.lock().expect("nothing panics under this lock")
    }

    pub(super) fn next_match<'a>(
        &self,
        types: impl IntoIterator<Item = &'a JobType>,
        clock: Clock,
    ) -> Option<Match<Waiter>> {
        let mut line = self.line();
        let now = clock.now();
        line.next_match(types, now)
    }
}

impl Jobs {
    /// Goes to the store for a poll, and hands over what is there.
    pub(super) async fn fetch(self: Arc<Self>, sent: Match<Waiter>) {
        let Match { selected, hint } = sent;
        let Poll { key: types, runner, handle: Waiter { conn, tell }, .. } = selected.poll;
        let Some(state) = conn.state().filter(|state| state.is_open) else {
            // As good as gone; the next poll goes.
            self.desk.line().not_attempted(&hint);
            return self.send_for(types.types());
        };
        match self.store.dispatch(types.types(), &runner.id, self.now()).await {
            Ok(Some(handed)) => {
                self.desk.line().leased(&hint, &handed.job.job_type);
                self.send_for(types.types());
                self.hand_over(handed, (conn, state.acknowledged), tell).await;
            }
            Ok(None) => {
                self.desk.line().missed(&hint, &types);
                // A poll that left in the meantime is not there to be told.
                _ = tell.send(Verdict::Again);
            }
            Err(error) => {
                if let Some(suppressed) = self.desk.failed.allow() {
                    tracing::warn!(%error, unsaid = suppressed, "failed to look for a job");
                }
                self.desk.line().not_attempted(&hint);
                _ = tell.send(Verdict::Unavailable);
            }
        }
    }

    async fn hand_over(
        self: &Arc<Self>,
        handed: LeasedJob,
        (conn, acknowledged): (Arc<Conn>, u64),
        tell: HandoffSender<Verdict>,
    ) {
        let (id, lease, bytes) = (handed.job.id, handed.job.lease, handed.input.len());
        let (written, told) = oneshot::channel();
        let way = InFlightDelivery::http(Arc::clone(&conn), acknowledged, told);
        let answer = match tell.send(Verdict::Job(Box::new(Handing { handed, written }))) {
            Ok(()) => self.follow(way, bytes).await,
            Err(_) => OfferOutcome::Cold,
        };
        self.metrics.record_dispatch(answer);
        match answer {
            OfferOutcome::Warm(_) => {
                let jobs = Arc::clone(self);
                conn.when_unread(move || jobs.unread(id, lease));
            }
            OfferOutcome::Cold => self.void(id, lease).await,
        }
    }

    /// As `core::delivery` says, with one poll: another one gets another lease.
    async fn follow(&self, mut way: InFlightDelivery, bytes: usize) -> OfferOutcome {
        let timeouts = DeliveryTimeouts::for_run(bytes, self.settings.ack_deadline);
        let (mut offer, mut step) = Offer::new(self.settings.ack_mode, timeouts);
        let mut is_handed_over = false;
        loop {
            if step.reset {
                way.reset();
            }
            let seen = match step.next {
                Next::SelectPoll if is_handed_over => Seen::NoPoll,
                Next::SelectPoll => {
                    is_handed_over = true;
                    way.start_event()
                }
                Next::Wait { until } => way.next_event(self.clock, until).await,
                Next::Finish(answer) => return answer,
            };
            step = offer.handle(self.clock.now(), seen);
        }
    }

    /// The runner's kernel had it, and the program never read it.
    fn unread(self: Arc<Self>, id: JobId, lease: LeaseId) {
        self.metrics.unread.inc();
        tracing::warn!(job = %id, "a runner's kernel acknowledged a job that the runner never read");
        let tasks = self.desk.tasks.clone();
        tasks.spawn(async move { self.void(id, lease).await });
    }

    /// Gives a job back that did not reach its runner. Should that fail, its lease ends by itself.
    async fn void(self: &Arc<Self>, id: JobId, lease: LeaseId) {
        if let Err(error) = self.say(id, Event::DispatchFailed { lease }, RunnerOutput::default()).await {
            tracing::warn!(%error, job = %id, "failed to give back a job that did not reach its runner");
        }
    }
}
