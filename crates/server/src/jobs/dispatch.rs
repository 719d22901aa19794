//! Dispatches jobs to parked polls: leases a job from the store for a matched poll, sends it, and follows the
//! delivery until the runner's kernel has acknowledged it. A job that does not arrive is given back at once.

use std::sync::Arc;

use pilotlight_core::delivery::{DeliveryTimeouts, OfferOutcome, OfferSettings};
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{Event, JobId, LeaseId};
use pilotlight_core::job_matcher::Match;
use pilotlight_core::pool::Poll;
use pilotlight_core::time::Moment;
use pilotlight_net::conn::Conn;
use pilotlight_net::delivery::{Dispatch, PollSource, deliver};
use pilotlight_net::handoff::HandoffSender;
use pilotlight_net::in_flight::InFlightDelivery;
use pilotlight_store::{LeasedJob, RunnerOutput};
use tokio::sync::oneshot;

use crate::jobs::poll_handle::{JobPollHandle, JobPollOutcome, OutgoingJob};
use crate::jobs::service::JobService;

impl JobService {
    /// Matches parked polls with ready jobs of these types, and starts a dispatch for each match.
    pub(super) fn dispatch_ready<'a>(self: &Arc<Self>, types: impl IntoIterator<Item = &'a JobType> + Copy) {
        while let Some(matched) = self.dispatcher.next_match(types, self.clock) {
            self.dispatcher.tasks.spawn(Arc::clone(self).dispatch_match(matched));
        }
    }

    /// Leases a job from the store for a matched poll, and delivers it.
    async fn dispatch_match(self: Arc<Self>, matched: Match<JobPollHandle>) {
        let Match { selected, hint } = matched;
        let Poll { key: types, runner, handle: JobPollHandle { conn, sender }, .. } = selected.poll;
        let Some(state) = conn.state().filter(|state| state.is_open) else {
            // The poll's connection is closed; the next poll is matched instead.
            self.dispatcher.matcher().not_attempted(&hint);
            return self.dispatch_ready(types.types());
        };
        match self.store.dispatch(types.types(), &runner.id, self.now()).await {
            Ok(Some(leased)) => {
                self.dispatcher.matcher().leased(&hint, &leased.job.job_type);
                self.dispatch_ready(types.types());
                self.deliver(leased, (conn, state.acknowledged), sender).await;
            }
            Ok(None) => {
                self.dispatcher.matcher().missed(&hint, &types);
                // The error means that the poll has left; nothing more is needed then.
                _ = sender.send(JobPollOutcome::NoJob);
            }
            Err(error) => {
                if let Some(suppressed) = self.dispatcher.error_log.allow() {
                    tracing::warn!(%error, unsaid = suppressed, "failed to lease a job for a parked poll");
                }
                self.dispatcher.matcher().not_attempted(&hint);
                _ = sender.send(JobPollOutcome::Unavailable);
            }
        }
    }

    async fn deliver(
        self: &Arc<Self>,
        leased: LeasedJob,
        (conn, acknowledged): (Arc<Conn>, u64),
        sender: HandoffSender<JobPollOutcome>,
    ) {
        let (id, lease) = (leased.job.id, leased.job.lease);
        let settings = OfferSettings {
            ack_mode: self.settings.ack_mode,
            timeouts: DeliveryTimeouts::for_run(leased.input.len(), self.settings.ack_deadline),
            // Another poll would need another lease.
            max_dispatches: 1,
        };
        let mut source = LeasedPoll {
            poll: Some((leased, sender)),
            conn: Arc::clone(&conn),
            acknowledged,
            selected_at: self.clock.now(),
        };
        let outcome = deliver(&mut source, settings, self.clock).await.outcome;
        self.metrics.record_dispatch(outcome);
        match outcome {
            OfferOutcome::Warm(_) => {
                let jobs = Arc::clone(self);
                conn.when_unread(move || jobs.on_unread(id, lease));
            }
            OfferOutcome::Cold => self.return_job(id, lease).await,
        }
    }

    /// The runner's kernel acknowledged the job, but the program never read it.
    fn on_unread(self: Arc<Self>, id: JobId, lease: LeaseId) {
        self.metrics.unread.inc();
        tracing::warn!(job = %id, "a runner's kernel acknowledged a job that the runner never read");
        let tasks = self.dispatcher.tasks.clone();
        tasks.spawn(async move { self.return_job(id, lease).await });
    }

    /// Queues a job again that did not reach its runner. If that fails, the job is queued when its lease times out.
    async fn return_job(self: &Arc<Self>, id: JobId, lease: LeaseId) {
        if let Err(error) =
            self.apply_event(id, Event::DispatchFailed { lease }, RunnerOutput::default()).await
        {
            tracing::warn!(%error, job = %id, "failed to give back a job that did not reach its runner");
        }
    }
}

/// The one poll that a job was leased for.
struct LeasedPoll {
    /// The job, and the poll's task; `None` once the job was sent.
    poll: Option<(LeasedJob, HandoffSender<JobPollOutcome>)>,
    conn: Arc<Conn>,
    acknowledged: u64,
    selected_at: Moment,
}

impl PollSource for LeasedPoll {
    type Outcome = JobPollOutcome;
    type Target = ();

    fn dispatch(&mut self) -> Option<Dispatch<JobPollOutcome, ()>> {
        let (leased, sender) = self.poll.take()?;
        let (written, written_receiver) = oneshot::channel();
        sender.send(JobPollOutcome::Job(Box::new(OutgoingJob { leased, written }))).ok()?;
        let delivery = InFlightDelivery::http(Arc::clone(&self.conn), self.acknowledged, written_receiver);
        Some(Dispatch { delivery, selected_at: self.selected_at, target: () })
    }
}
