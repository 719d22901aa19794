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

use super::desk::Desk;
use super::heard::Heard;
use super::random;
use super::sight::Onlookers;
use super::tally::Tally;
use super::time::Ahead;
use super::watching::{Seen, Watching};
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
    pub lease: Duration,
    /// Types of whose jobs others are told.
    pub hooked: Arc<HashSet<JobType>>,
}

/// The jobs.
#[derive(Debug)]
pub struct Jobs {
    pub(super) settings: Settings,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Clock,
    /// Where the store has a clock of its own, jobs go by that.
    pub(super) ahead: Ahead,
    pub(super) metrics: JobMetrics,
    pub(super) tally: Tally,
    pub(super) desk: Desk,
    pub(super) watching: Arc<Watching>,
    pub(super) onlookers: Onlookers,
    pub(super) heard: Heard,
    /// Wakes the keeper.
    pub(super) nudge: Notify,
    /// Wakes the one who tells others.
    pub(super) hooks: Notify,
    pub(super) stopping: CancellationToken,
}

impl Jobs {
    /// Over this store, with nobody waiting yet.
    #[must_use]
    pub fn new(settings: Settings, store: Arc<dyn Store>, clock: Clock, metrics: JobMetrics) -> Arc<Self> {
        Arc::new(Self {
            desk: Desk::new(settings.order),
            settings,
            store,
            clock,
            ahead: Ahead::default(),
            metrics,
            tally: Tally::default(),
            watching: Arc::default(),
            onlookers: Onlookers::default(),
            heard: Heard::default(),
            nudge: Notify::new(),
            hooks: Notify::new(),
            stopping: CancellationToken::new(),
        })
    }

    /// The time of jobs: the wall clock of the store, or ours where it has none.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.ahead.theirs(self.clock.wall())
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
    pub const fn lease(&self) -> Duration {
        self.settings.lease
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
    pub fn waiting(&self) -> usize {
        self.desk.line().len()
    }

    /// Reads what became of submissions and jobs; `read` must be short.
    pub fn series<T>(&self, read: impl FnOnce(&JobStats) -> T) -> T {
        self.tally.series(read)
    }

    /// A number that grows with every change that this instance knows of.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.tally.revision()
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
            && let Some(found) = self.store.lookup(new.key).await?
            && admit(Some(&found.job), new.cache_mode, &new.options, now) == Admission::Cached
        {
            self.happened(JobOutcome::cached(&found.job));
            return Ok(SubmitOutcome::Existing(found));
        }
        let submitted = self.store.submit(new, now).await?;
        match &submitted {
            SubmitOutcome::New(job) => {
                self.happened(JobOutcome::New);
                self.noted(job);
                self.queued(job);
            }
            SubmitOutcome::Existing(found) if found.job.has_ended() => {
                self.happened(JobOutcome::cached(&found.job))
            }
            SubmitOutcome::Existing(found) => {
                self.happened(JobOutcome::Joined);
                // Its time may have come sooner than it was to.
                if found.job.state == State::Pending {
                    self.nudge.notify_one();
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
    pub async fn say(
        self: &Arc<Self>,
        id: JobId,
        event: Event,
        payload: RunnerOutput,
    ) -> Result<EventOutcome, Error> {
        let said = self.store.apply_event(id, event, payload, self.now()).await?;
        if let EventOutcome::Applied(AppliedEvent { transition, job }) = &said {
            self.after(*transition, job);
        }
        Ok(said)
    }

    /// Forgets jobs. Returns those that were there.
    ///
    /// # Errors
    /// When the store does not.
    pub async fn delete(&self, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
        let deleted = self.store.delete(ids).await?;
        for id in &deleted {
            self.watching.tell(*id, Seen::Ended);
        }
        self.tally.changed();
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
    pub fn heard(self: &Arc<Self>, runner: &RunnerId) {
        let now = self.now();
        if self.heard.heard(runner, now) {
            let (jobs, runner) = (Arc::clone(self), runner.clone());
            self.desk.tasks.spawn(async move {
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
    pub async fn ended(&self, id: JobId, within: Duration) -> Result<Option<JobRecord>, Error> {
        let until = Instant::now() + within;
        let mut watch = self.watching.watch(id);
        loop {
            let found = self.store.job(id).await?;
            let goes_on = found.as_ref().is_some_and(|found| !found.job.has_ended());
            if !goes_on || self.is_stopping() || Instant::now() >= until {
                return Ok(found);
            }
            // Whoever waits holds nothing of the job meanwhile.
            drop(found);
            _ = timeout_at(until, watch.ended()).await;
        }
    }

    /// What follows from a change that is on disk.
    pub(super) fn after(self: &Arc<Self>, transition: Transition, job: &Job) {
        self.tally.changed();
        match transition {
            Transition::Unchanged => {}
            Transition::Dispatched | Transition::Claimed | Transition::Heartbeat | Transition::CallerLeft => {
                self.watching.tell(job.id, Seen::Changed);
            }
            Transition::Queued => {
                self.watching.tell(job.id, Seen::Changed);
                self.queued(job);
            }
            Transition::Completed => self.has_ended(job, JobOutcome::completed(job)),
            Transition::Failed => self.has_ended(job, JobOutcome::Failed),
            Transition::Expired => {
                self.metrics.expired.inc();
                self.watching.tell(job.id, Seen::Ended);
            }
        }
    }

    fn has_ended(&self, job: &Job, happened: JobOutcome) {
        self.happened(happened);
        self.watching.tell(job.id, Seen::Ended);
        self.noted(job);
    }

    /// The store noted what is to be told of this job, where its type is one of which others are told.
    fn noted(&self, job: &Job) {
        if self.settings.hooked.contains(&job.job_type) {
            self.hooks.notify_one();
        }
    }

    fn happened(&self, happened: JobOutcome) {
        self.metrics.record_outcome(happened);
        self.tally.add(self.clock.now(), happened);
    }

    fn queued(self: &Arc<Self>, job: &Job) {
        if job.is_ready(self.now()) {
            self.ready(&job.job_type);
        } else {
            self.nudge.notify_one();
        }
    }

    pub(super) fn ready(self: &Arc<Self>, job_type: &JobType) {
        self.desk.line().add_ready(job_type, 1);
        self.send_for(std::slice::from_ref(job_type));
    }
}
