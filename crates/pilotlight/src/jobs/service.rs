//! What can be asked of jobs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::delivery::AckMode;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{Admission, CacheMode, Event, Job, JobId, State, Transition, admit};
use pilotlight_core::job_stats::{JobOutcome, JobStats};
use pilotlight_core::pool::Order;
use pilotlight_core::time::Timestamp;
use pilotlight_store::{
    AppliedEvent, Error, EventOutcome, JobRecord, NewJob, Retention, Runner, RunnerOutput, Store,
    SubmitOutcome,
};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::dispatcher::JobDispatcher;
use super::last_seen::LastSeen;
use super::notifier::{JobNotifier, JobSignal};
use super::random;
use super::stats::StatsRecorder;
use super::store_clock::StoreClock;
use super::subscription::JobSubscriptions;
use crate::clock::Clock;
use crate::telemetry::jobs::JobMetrics;

/// Settings of the driver.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which of the polls that wait is next.
    pub order: Order,
    /// What a dispatch needs to be believed.
    pub ack_mode: AckMode,
    /// How long the acknowledged bytes may stand still before a poll counts as dead.
    pub ack_deadline: Duration,
    /// What is kept of ended jobs.
    pub retention: Retention,
    /// How long a runner may be silent before its job is given to another.
    pub lease_timeout: Duration,
    /// Types of whose jobs others are told.
    pub webhook_types: Arc<HashSet<JobType>>,
}

/// The jobs.
#[derive(Debug)]
pub struct JobService {
    pub(super) settings: Settings,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    /// Where the store has a clock of its own, jobs go by that.
    pub(super) store_clock: StoreClock,
    pub(super) metrics: JobMetrics,
    pub(super) stats: StatsRecorder,
    pub(super) dispatcher: JobDispatcher,
    pub(super) notifier: Arc<JobNotifier>,
    pub(super) subscriptions: JobSubscriptions,
    pub(super) last_seen: LastSeen,
    /// Wakes the keeper.
    pub(super) sweep_wake: Notify,
    /// Wakes the one who tells others.
    pub(super) webhook_wake: Notify,
    pub(super) stopping: CancellationToken,
}

impl JobService {
    /// Over this store, with nobody waiting yet.
    #[must_use]
    pub fn new(settings: Settings, store: Arc<dyn Store>, clock: Clock, metrics: JobMetrics) -> Arc<Self> {
        Arc::new(Self {
            dispatcher: JobDispatcher::new(settings.order),
            settings,
            store,
            clock,
            store_clock: StoreClock::default(),
            metrics,
            stats: StatsRecorder::default(),
            notifier: Arc::default(),
            subscriptions: JobSubscriptions::default(),
            last_seen: LastSeen::default(),
            sweep_wake: Notify::new(),
            webhook_wake: Notify::new(),
            stopping: CancellationToken::new(),
        })
    }

    /// The time of jobs: the wall clock of the store, or ours where it has none.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store_clock.to_store_time(self.clock.wall_time())
    }

    /// The store, to be read.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What a dispatch needs to be believed.
    #[must_use]
    pub const fn ack_mode(&self) -> AckMode {
        self.settings.ack_mode
    }

    /// How long a runner may be silent before its job is given to another.
    #[must_use]
    pub const fn lease_timeout(&self) -> Duration {
        self.settings.lease_timeout
    }

    /// A name for a job that is about to be submitted.
    #[must_use]
    pub fn new_id(&self) -> JobId {
        JobId::new(self.now(), random::bytes())
    }

    /// Whether the service stops.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Runners that wait for a job.
    #[must_use]
    pub fn parked_poll_count(&self) -> usize {
        self.dispatcher.matcher().len()
    }

    /// Reads what became of submissions and jobs; `read` must be short.
    pub fn series<T>(&self, read: impl FnOnce(&JobStats) -> T) -> T {
        self.stats.series(read)
    }

    /// A number that grows with every change that this instance knows of.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.stats.revision()
    }

    /// Takes a submission.
    ///
    /// # Errors
    /// When the store does not; then nothing was taken, unless it says that it cannot tell.
    pub async fn submit(self: &Arc<Self>, new: NewJob) -> Result<SubmitOutcome, Error> {
        let now = self.now();
        // Most submissions of a busy cache end here, without a write.
        if new.cache_mode == CacheMode::Reuse
            && new.idempotency_key.is_none()
            && let Some(record) = self.store.lookup(new.key).await?
            && admit(Some(&record.job), new.cache_mode, &new.options, now) == Admission::Cached
        {
            self.record_outcome(JobOutcome::cached(&record.job));
            return Ok(SubmitOutcome::Existing(record));
        }
        let submitted = self.store.submit(new, now).await?;
        match &submitted {
            SubmitOutcome::New(job) => {
                self.record_outcome(JobOutcome::New);
                self.wake_webhooks(job);
                self.on_queued(job);
            }
            SubmitOutcome::Existing(record) if record.job.has_ended() => {
                self.record_outcome(JobOutcome::cached(&record.job))
            }
            SubmitOutcome::Existing(record) => {
                self.record_outcome(JobOutcome::Joined);
                // Its time may have come sooner than it was to.
                if record.job.state == State::Pending {
                    self.sweep_wake.notify_one();
                }
            }
            SubmitOutcome::Conflict => {}
            SubmitOutcome::QueueFull(_) => _ = self.metrics.refused.inc(),
        }
        Ok(submitted)
    }

    /// Says something about a job.
    ///
    /// # Errors
    /// When the store does not take it; then nothing has changed, unless it says that it cannot tell.
    pub async fn apply_event(
        self: &Arc<Self>,
        id: JobId,
        event: Event,
        output: RunnerOutput,
    ) -> Result<EventOutcome, Error> {
        let outcome = self.store.apply_event(id, event, output, self.now()).await?;
        if let EventOutcome::Applied(AppliedEvent { transition, job }) = &outcome {
            self.on_transition(*transition, job);
        }
        Ok(outcome)
    }

    /// Forgets jobs. Returns those that were there.
    ///
    /// # Errors
    /// When the store does not.
    pub async fn delete(&self, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
        let deleted = self.store.delete(ids).await?;
        for id in &deleted {
            self.notifier.notify(*id, JobSignal::Ended);
        }
        self.stats.bump_revision();
        Ok(deleted)
    }

    /// Remembers a new runner, under a name that nobody else has.
    ///
    /// # Errors
    /// When the store does not.
    pub async fn register(&self, name: String, capabilities: Vec<String>) -> Result<Runner, Error> {
        let now = self.now();
        let id = RunnerId::parse(&self.new_id().to_string()).expect("36 characters are within the cap");
        let runner = Runner { id, name, capabilities, registered_at: now, seen_at: now };
        self.store.register_runner(runner.clone()).await?;
        Ok(runner)
    }

    /// A runner asked for something.
    pub fn touch_runner(self: &Arc<Self>, runner: &RunnerId) {
        let now = self.now();
        if self.last_seen.record(runner, now) {
            let (jobs, runner) = (Arc::clone(self), runner.clone());
            self.dispatcher.tasks.spawn(async move {
                if let Err(error) = jobs.store.touch_runner(&runner, now).await {
                    tracing::debug!(%error, "failed to remember when a runner was heard of");
                }
            });
        }
    }

    /// Waits until a job has ended, at most so long, and not while the service stops. Returns it as it is then; `None`
    /// when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn wait_ended(&self, id: JobId, within: Duration) -> Result<Option<JobRecord>, Error> {
        let until = Instant::now() + within;
        let mut watch = self.notifier.watch(id);
        loop {
            let record = self.store.job(id).await?;
            let is_unfinished = record.as_ref().is_some_and(|record| !record.job.has_ended());
            if !is_unfinished || self.is_stopping() || Instant::now() >= until {
                return Ok(record);
            }
            // Whoever waits holds nothing of the job meanwhile.
            drop(record);
            _ = timeout_at(until, watch.wait_ended()).await;
        }
    }

    /// What follows from a change that is on disk.
    pub(super) fn on_transition(self: &Arc<Self>, transition: Transition, job: &Job) {
        self.stats.bump_revision();
        match transition {
            Transition::Unchanged => {}
            Transition::Dispatched | Transition::Claimed | Transition::Heartbeat | Transition::CallerLeft => {
                self.notifier.notify(job.id, JobSignal::Changed);
            }
            Transition::Queued => {
                self.notifier.notify(job.id, JobSignal::Changed);
                self.on_queued(job);
            }
            Transition::Completed => self.on_job_ended(job, JobOutcome::completed(job)),
            Transition::Failed => self.on_job_ended(job, JobOutcome::Failed),
            Transition::Expired => {
                self.metrics.expired.inc();
                self.notifier.notify(job.id, JobSignal::Ended);
            }
        }
    }

    fn on_job_ended(&self, job: &Job, outcome: JobOutcome) {
        self.record_outcome(outcome);
        self.notifier.notify(job.id, JobSignal::Ended);
        self.wake_webhooks(job);
    }

    /// The store noted what is to be told of this job, where its type is one of which others are told.
    fn wake_webhooks(&self, job: &Job) {
        if self.settings.webhook_types.contains(&job.job_type) {
            self.webhook_wake.notify_one();
        }
    }

    fn record_outcome(&self, outcome: JobOutcome) {
        self.metrics.record_outcome(outcome);
        self.stats.record(self.clock.now(), outcome);
    }

    fn on_queued(self: &Arc<Self>, job: &Job) {
        if job.is_ready(self.now()) {
            self.on_ready(&job.job_type);
        } else {
            self.sweep_wake.notify_one();
        }
    }

    pub(super) fn on_ready(self: &Arc<Self>, job_type: &JobType) {
        self.dispatcher.matcher().add_ready(job_type, 1);
        self.dispatch_ready(std::slice::from_ref(job_type));
    }
}
