//! The fixture of each test case: an empty store, and short helpers for the actions of callers and runners.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::job::{
    CacheMode, CancelScope, Event, Fingerprint, Job, JobId, JobOptions, JobPolicy, LeaseClaim, LeaseId,
    QueueFull, QueueLimits, Rejected, Transition,
};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{
    ConsoleUpdate, EventOutcome, IdempotencyKey, JobRecord, LeasedJob, Limits, NewJob, RunnerOutput,
    Settings, Store, SubmitOutcome,
};
use pilotlight_testkit::store_fixtures;
pub(crate) use pilotlight_testkit::store_fixtures::{at, cache_key as key, job_type, runner};

use crate::backend::Backend;

/// Job types with a configured webhook.
pub(crate) const WEBHOOK_TYPE: &str = "hooked";
pub(crate) const OTHER_WEBHOOK_TYPE: &str = "hooked too";

/// The limit of a console, in bytes.
pub(crate) const CONSOLE_BYTES: usize = 100;

/// The job policy of all cases. A lost job is requeued once.
pub(crate) const POLICY: JobPolicy = JobPolicy {
    heartbeat_timeout: Duration::from_millis(90),
    start_timeout: Duration::from_millis(20),
    lost_retries: 1,
    failed_ttl: Duration::from_millis(600),
};

/// A store; it is empty when the case begins.
pub(crate) struct StoreFixture {
    backend: Box<dyn Backend>,
    store: Option<Arc<dyn Store>>,
}

/// Runs a case on a new store of this backend.
pub(crate) fn run_case<B: Backend + 'static, F: Future<Output = ()>>(case: impl FnOnce(StoreFixture) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let backend = B::create(&settings()).await;
        let store = Some(backend.store());
        case(StoreFixture { backend: Box::new(backend), store }).await;
    });
}

/// The settings of a case that does not set its own.
pub(crate) fn settings() -> Settings {
    with_queue_limits(QueueLimits::default())
}

fn with_queue_limits(queue_limits: QueueLimits) -> Settings {
    Settings {
        policy: POLICY,
        webhook_types: Arc::new(HashSet::from([WEBHOOK_TYPE, OTHER_WEBHOOK_TYPE].map(job_type))),
        limits: Limits { console_bytes: CONSOLE_BYTES },
        queue_limits,
    }
}

impl Deref for StoreFixture {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        &**self.store.as_ref().expect("the store is open except during a reopen")
    }
}

impl StoreFixture {
    /// The store, for use by spawned tasks.
    pub(crate) fn shared_store(&self) -> Arc<dyn Store> {
        self.backend.store()
    }

    /// Closes the store and opens it again.
    pub(crate) async fn reopen(&mut self) {
        self.reopen_with(&settings()).await;
    }

    /// Reopens the store with these queue limits.
    pub(crate) async fn with_queue_limits(mut self, queue_limits: QueueLimits) -> Self {
        self.reopen_with(&with_queue_limits(queue_limits)).await;
        self
    }

    /// Closes the store and opens it again with these settings.
    pub(crate) async fn reopen_with(&mut self, settings: &Settings) {
        self.store = None;
        self.backend.reopen(settings).await;
        self.store = Some(self.backend.store());
    }

    /// Submits; panics unless the submission becomes a new job.
    pub(crate) async fn submit_new(&self, new: NewJob, now: Timestamp) -> Job {
        match self.submit(new, now).await.unwrap() {
            SubmitOutcome::New(job) => job,
            other => panic!("the submission is not a new job: {other:?}"),
        }
    }

    /// Submits; panics unless an existing job is found.
    pub(crate) async fn submit_existing(&self, new: NewJob, now: Timestamp) -> JobRecord {
        match self.submit(new, now).await.unwrap() {
            SubmitOutcome::Existing(found) => found,
            other => panic!("no existing job was found: {other:?}"),
        }
    }

    /// Submits; panics unless the queue is full.
    pub(crate) async fn submit_over_limit(&self, new: NewJob, now: Timestamp) -> QueueFull {
        let id = new.id;
        match self.submit(new, now).await.unwrap() {
            SubmitOutcome::QueueFull(full) => {
                assert!(self.job(id).await.unwrap().is_none());
                full
            }
            other => panic!("the queue is not full: {other:?}"),
        }
    }

    /// Applies an event; panics unless it is applied.
    pub(crate) async fn apply_ok(
        &self,
        id: JobId,
        event: Event,
        output: RunnerOutput,
        now: Timestamp,
    ) -> (Transition, Job) {
        match self.apply_event(id, event.clone(), output, now).await.unwrap() {
            EventOutcome::Applied(applied) => (applied.transition, applied.job),
            other => panic!("{event:?} is not applied: {other:?}"),
        }
    }

    /// A runner claims this job.
    pub(crate) async fn claim(&self, id: JobId, name: &str, now: Timestamp) -> Job {
        let (transition, job) =
            self.apply_ok(id, Event::Claim { runner: runner(name) }, no_output(), now).await;
        assert_eq!(transition, Transition::Claimed);
        job
    }

    /// Applies an event; panics unless it is rejected and changes nothing.
    pub(crate) async fn apply_rejected(&self, id: JobId, event: Event, now: Timestamp) -> Rejected {
        self.apply_rejected_with(id, event, no_output(), now).await
    }

    /// Applies an event with output; panics unless it is rejected and changes nothing.
    pub(crate) async fn apply_rejected_with(
        &self,
        id: JobId,
        event: Event,
        output: RunnerOutput,
        now: Timestamp,
    ) -> Rejected {
        let before = self.record(id).await;
        let rejected = match self.apply_event(id, event.clone(), output, now).await.unwrap() {
            EventOutcome::Rejected(rejected, job) => {
                assert_eq!(job, before.job);
                rejected
            }
            other => panic!("{event:?} is not rejected: {other:?}"),
        };
        let after = self.record(id).await;
        assert_eq!((after.job, after.output), (before.job, before.output));
        rejected
    }

    /// A new job that the runner `r` executes.
    pub(crate) async fn claimed_job(&self, name: &str, now: Timestamp) -> Job {
        let job = self.submit_new(submission(name), now).await;
        self.claim(job.id, "r", now).await
    }

    /// A new job that completes at once with this result.
    pub(crate) async fn completed_job(&self, name: &str, result: &str, now: Timestamp) -> Job {
        self.complete_submission(submission(name), result, now).await
    }

    /// Submits a new job that completes at once with this result.
    pub(crate) async fn complete_submission(&self, new: NewJob, result: &str, now: Timestamp) -> Job {
        let job = self.submit_new(new, now).await;
        let job = self.claim(job.id, "r", now).await;
        self.complete(&job, result, now).await
    }

    /// Dispatches the next job of this type to a runner.
    pub(crate) async fn dispatch_next(
        &self,
        type_name: &str,
        name: &str,
        now: Timestamp,
    ) -> Option<LeasedJob> {
        self.dispatch(&[job_type(type_name)], &runner(name), now).await.unwrap()
    }

    /// The runner of a job reports its result.
    pub(crate) async fn complete(&self, job: &Job, result: &str, now: Timestamp) -> Job {
        let event = Event::Complete { lease_claim: lease_claim_of(job), result: fingerprint(result) };
        self.apply_ok(job.id, event, result_output(result), now).await.1
    }

    /// The runner of a job reports a failure.
    pub(crate) async fn fail(&self, job: &Job, message: &str, now: Timestamp) -> (Transition, Job) {
        let event = Event::Fail { lease_claim: lease_claim_of(job), report: fingerprint(message) };
        self.apply_ok(job.id, event, error_output(message), now).await
    }

    /// A caller cancels the job.
    pub(crate) async fn cancel(&self, id: JobId, scope: CancelScope, now: Timestamp) -> (Transition, Job) {
        self.apply_ok(id, Event::Cancel(scope), no_output(), now).await
    }

    /// The record of a job that must exist.
    pub(crate) async fn record(&self, id: JobId) -> JobRecord {
        self.job(id).await.unwrap().expect("the job exists")
    }
}

/// A submission of the type `render`; equal names are equal submissions.
pub(crate) fn submission(name: &str) -> NewJob {
    submission_of_type("render", name)
}

/// A submission of this type.
pub(crate) fn submission_of_type(type_name: &str, name: &str) -> NewJob {
    NewJob { options: options(), ..store_fixtures::submission(type_name, name) }
}

/// The default options.
pub(crate) fn options() -> JobOptions {
    JobOptions {
        priority: 0,
        run_at: at(0),
        max_attempts: 1,
        retry_backoff: Duration::from_millis(10),
        ttl: None,
    }
}

/// Returns the submission with changed options.
pub(crate) fn with_options(mut new: NewJob, change: impl FnOnce(&mut JobOptions)) -> NewJob {
    change(&mut new.options);
    new
}

/// Returns the submission with `CacheMode::Recompute`.
pub(crate) fn recomputed(mut new: NewJob) -> NewJob {
    new.cache_mode = CacheMode::Recompute;
    new
}

/// Returns the submission with an `Idempotency-Key`.
pub(crate) fn with_idempotency_key(mut new: NewJob, name: &str) -> NewJob {
    new.idempotency_key = Some(IdempotencyKey(*key(name).as_bytes()));
    new
}

pub(crate) fn fingerprint(text: &str) -> Fingerprint {
    Fingerprint(*key(text).as_bytes())
}

/// The lease claim of a job's runner.
pub(crate) fn lease_claim_of(job: &Job) -> LeaseClaim {
    let assignment = job.assignment().expect("the job is assigned");
    LeaseClaim { runner: assignment.runner.clone(), lease: Some(job.lease) }
}

/// A lease claim of a runner.
pub(crate) fn lease_claim(name: &str, lease: Option<u64>) -> LeaseClaim {
    LeaseClaim { runner: runner(name), lease: lease.map(LeaseId::new) }
}

/// A heartbeat of a job's runner.
pub(crate) fn heartbeat(job: &Job) -> Event {
    Event::Heartbeat { lease_claim: lease_claim_of(job), progress: None }
}

pub(crate) fn no_output() -> RunnerOutput {
    RunnerOutput::default()
}

pub(crate) fn result_output(text: &str) -> RunnerOutput {
    RunnerOutput { result: Some(text.to_owned()), ..no_output() }
}

pub(crate) fn error_output(text: &str) -> RunnerOutput {
    RunnerOutput { error: Some(text.to_owned()), ..no_output() }
}

pub(crate) fn console_replacement(console: &str) -> RunnerOutput {
    RunnerOutput { console: Some(ConsoleUpdate::Replace(console.to_owned())), ..no_output() }
}

pub(crate) fn console_chunk(console: &str) -> RunnerOutput {
    RunnerOutput { console: Some(ConsoleUpdate::Append(console.to_owned())), ..no_output() }
}
