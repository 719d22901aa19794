//! The operations on jobs, for the HTTP routes and the background tasks. Every change goes through the store first;
//! waiting tasks are woken after it is committed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::delivery::AckMode;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{Admission, CacheMode, Event, Job, JobId, State, Transition, admit};
use pilotlight_core::job_stats::{JobOutcome, JobStats};
use pilotlight_core::pool::Order;
use pilotlight_core::time::Timestamp;
use pilotlight_core::trace_context::TraceParent;
use pilotlight_net::clock::Clock;
use pilotlight_store::{
    AppliedEvent, Error, EventOutcome, JobRecord, NewJob, ReadStore, Retention, Runner, RunnerOutput, Store,
    SubmitOutcome,
};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::jobs::dispatcher::JobDispatcher;
use crate::jobs::last_seen::LastSeen;
use crate::jobs::metrics::{JobMetrics, JobTelemetry};
use crate::jobs::notifier::{JobNotifier, JobSignal};
use crate::jobs::random;
use crate::jobs::stats::StatsRecorder;
use crate::jobs::store_clock::StoreClock;
use crate::jobs::subscription::{JobSubscription, JobSubscriptions};
use crate::telemetry::job_span::{JobSpanSender, SubmissionTrace};

/// Settings of the job service.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Which of the parked polls is selected first.
    pub order: Order,
    /// What proves a dispatch: the acknowledgement of the runner's kernel, or only the completed write.
    pub ack_mode: AckMode,
    /// How long a dispatch may go on without newly acknowledged bytes before its poll counts as dead.
    pub ack_deadline: Duration,
    /// How long, and how much of, ended jobs are stored.
    pub retention: Retention,
    /// The silence of a runner after which its job goes to another runner.
    pub lease_timeout: Duration,
    /// The job types that have a webhook.
    pub webhook_types: Arc<HashSet<JobType>>,
}

/// The job service.
#[derive(Debug)]
pub(crate) struct JobService {
    pub(super) settings: Settings,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    /// Converts local time to the time of the store's clock, if the store has its own clock.
    pub(super) store_clock: StoreClock,
    pub(super) metrics: JobMetrics,
    pub(super) spans: JobSpanSender,
    pub(super) stats: StatsRecorder,
    pub(super) dispatcher: JobDispatcher,
    pub(super) notifier: Arc<JobNotifier>,
    pub(super) subscriptions: Arc<JobSubscriptions>,
    pub(super) last_seen: LastSeen,
    /// Wakes the sweep task.
    pub(super) sweep_wake: Notify,
    /// Wakes the webhook task.
    pub(super) webhook_wake: Notify,
    pub(super) stopping: CancellationToken,
}

impl JobService {
    /// A service on this store, without waiting polls or tasks.
    #[must_use]
    pub(crate) fn new(
        settings: Settings,
        store: Arc<dyn Store>,
        clock: Clock,
        telemetry: JobTelemetry,
    ) -> Arc<Self> {
        let JobTelemetry { metrics, spans } = telemetry;
        Arc::new(Self {
            dispatcher: JobDispatcher::new(settings.order),
            settings,
            store,
            clock,
            store_clock: StoreClock::default(),
            metrics,
            spans,
            stats: StatsRecorder::default(),
            notifier: Arc::default(),
            subscriptions: Arc::default(),
            last_seen: LastSeen::default(),
            sweep_wake: Notify::new(),
            webhook_wake: Notify::new(),
            stopping: CancellationToken::new(),
        })
    }

    /// The current time for jobs: the wall clock of the store, or of this machine if the store has no clock.
    #[must_use]
    pub(crate) fn now(&self) -> Timestamp {
        self.store_clock.to_store_time(self.clock.wall_time())
    }

    /// The store, for reading. Changes go through this service.
    #[must_use]
    pub(crate) fn reads(&self) -> &dyn ReadStore {
        &*self.store
    }

    /// What proves a dispatch: the acknowledgement of the runner's kernel, or only the completed write.
    #[must_use]
    pub(crate) const fn ack_mode(&self) -> AckMode {
        self.settings.ack_mode
    }

    /// The silence of a runner after which its job goes to another runner.
    #[must_use]
    pub(crate) const fn lease_timeout(&self) -> Duration {
        self.settings.lease_timeout
    }

    /// A new id, for a job that is about to be submitted. The job's trace is sampled.
    #[must_use]
    pub(crate) fn new_id(&self) -> JobId {
        JobId::new(self.now(), random::bytes()).with_sampled(true)
    }

    /// Begins the span of a submission. `parent` reads the caller's position in its trace.
    pub(crate) fn begin_submission(&self, parent: impl FnOnce() -> Option<TraceParent>) -> SubmissionTrace {
        self.spans.begin_submission(parent)
    }

    /// Whether the service is stopping.
    #[must_use]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// How many polls wait for a job.
    #[must_use]
    pub(crate) fn parked_poll_count(&self) -> usize {
        self.dispatcher.matcher().len()
    }

    /// Reads the counts of job outcomes over time; `read` must be short, because it runs under a lock.
    pub(crate) fn stats<T>(&self, read: impl FnOnce(&JobStats) -> T) -> T {
        self.stats.read(read)
    }

    /// A number that grows with every change this instance knows of.
    #[must_use]
    pub(crate) fn revision(&self) -> u64 {
        self.stats.revision()
    }

    /// Submits a job: returns the cached result, joins an equal job under way, or queues a new one.
    ///
    /// # Errors
    /// When the store fails. Then nothing was submitted, unless the error says that the outcome is unknown.
    pub(crate) async fn submit(self: &Arc<Self>, new: NewJob) -> Result<SubmitOutcome, Error> {
        let now = self.now();
        // With a busy cache, most submissions end here, without a write.
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
                // Joining may have made the job due sooner.
                if record.job.state == State::Pending {
                    self.sweep_wake.notify_one();
                }
            }
            SubmitOutcome::Conflict => {}
            SubmitOutcome::QueueFull(_) => _ = self.metrics.refused.inc(),
        }
        Ok(submitted)
    }

    /// Applies an event to a job, with the output that the runner sent.
    ///
    /// # Errors
    /// When the store fails. Then nothing has changed, unless the error says that the outcome is unknown.
    pub(crate) async fn apply_event(
        self: &Arc<Self>,
        id: JobId,
        event: Event,
        output: RunnerOutput,
    ) -> Result<EventOutcome, Error> {
        let outcome = self.store.apply_event(id, event, output, self.now()).await?;
        if let EventOutcome::Applied(applied) = &outcome {
            self.on_applied(applied);
        }
        Ok(outcome)
    }

    /// Deletes jobs. Returns the ids that existed.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn delete(&self, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
        let deleted = self.store.delete(ids).await?;
        for id in &deleted {
            self.notifier.notify(*id, JobSignal::Ended);
        }
        self.stats.bump_revision();
        Ok(deleted)
    }

    /// Registers a new runner, with a new unique id.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn register(&self, name: String, capabilities: Vec<String>) -> Result<Runner, Error> {
        let now = self.now();
        let id = RunnerId::parse(&self.new_id().to_string()).expect("36 characters are within the cap");
        let runner = Runner { id, name, capabilities, registered_at: now, seen_at: now };
        self.store.register_runner(runner.clone()).await?;
        Ok(runner)
    }

    /// Records that a runner sent a request. The store is updated in the background, at most once in 10 s per runner.
    pub(crate) fn touch_runner(self: &Arc<Self>, runner: &RunnerId) {
        let now = self.now();
        if self.last_seen.record(runner, now) {
            let (jobs, runner) = (Arc::clone(self), runner.clone());
            self.dispatcher.tasks.spawn(async move {
                if let Err(error) = jobs.store.touch_runner(&runner, now).await {
                    tracing::debug!(%error, "failed to record when a runner was last seen");
                }
            });
        }
    }

    /// Waits until a job has ended, at most for `within`, and no longer once the service stops. Returns the job as it
    /// is then; `None` when it does not exist.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn wait_ended(&self, id: JobId, within: Duration) -> Result<Option<JobRecord>, Error> {
        let until = Instant::now() + within;
        let mut watch = self.notifier.watch(id);
        loop {
            let record = self.store.job(id).await?;
            let is_unfinished = record.as_ref().is_some_and(|record| !record.job.has_ended());
            if !is_unfinished || self.is_stopping() || Instant::now() >= until {
                return Ok(record);
            }
            // The record may be large: it is freed during the wait.
            drop(record);
            _ = timeout_at(until, watch.wait_ended()).await;
        }
    }

    /// Subscribes to a job: later changes are not missed.
    #[must_use]
    pub(crate) fn subscribe(&self, id: JobId) -> JobSubscription {
        self.subscriptions.subscribe(Arc::clone(&self.store), id, self.notifier.watch(id))
    }

    /// Counts a committed transition, and wakes the tasks that wait for it.
    pub(super) fn on_applied(self: &Arc<Self>, applied: &AppliedEvent) {
        let AppliedEvent { transition, job, ended_attempt } = applied;
        self.stats.bump_revision();
        if let Some(attempt) = ended_attempt {
            self.spans.attempt_ended(job, attempt);
        }
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

    /// Wakes the webhook task if the job's type has a webhook. The store has recorded the webhook in the transaction.
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
