//! Short helpers for the actions of callers and runners, and waits with a deadline.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{
    CacheMode, Event, Fingerprint, Job, JobId, JobOptions, JobPolicy, LeaseClaim, QueueLimits,
};
use pilotlight_core::time::Timestamp;
use pilotlight_store::postgres::Postgres;
use pilotlight_store::{
    AppliedEvent, Error, EventOutcome, Limits, NewJob, RunnerOutput, Settings, Store, StoreNotification,
    SubmitOutcome,
};

/// A wait that takes longer fails the test. Even a loaded machine needs only a small part of it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn open(address: &str) -> Arc<Postgres> {
    try_open(address).await.unwrap()
}

pub(crate) async fn try_open(address: &str) -> Result<Arc<Postgres>, Error> {
    let policy = JobPolicy {
        heartbeat_timeout: Duration::from_secs(90),
        start_timeout: Duration::from_secs(2),
        lost_retries: 1,
        failed_ttl: Duration::from_mins(10),
    };
    let limits = Limits { console_bytes: 1_000 };
    let (webhook_types, queue_limits) = (Arc::new(HashSet::new()), QueueLimits::default());
    Postgres::open(address, Settings { policy, webhook_types, limits, queue_limits }).await
}

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn job_type(name: &str) -> JobType {
    JobType::parse(name).unwrap()
}

pub(crate) fn runner(name: &str) -> RunnerId {
    RunnerId::parse(name).unwrap()
}

/// A submission of this type; equal numbers are equal submissions.
pub(crate) fn submission(of: &str, number: u64) -> NewJob {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    NewJob {
        id: JobId::new(at(0), random),
        job_type: job_type(of),
        key: CacheKey::from_bytes(key),
        input: format!("{{\"number\":{number}}}"),
        options: JobOptions::default_at(at(0)),
        cache_mode: CacheMode::Reuse,
        idempotency_key: None,
    }
}

pub(crate) async fn submit(store: &dyn Store, new: NewJob) -> Job {
    match store.submit(new, at(1)).await.unwrap() {
        SubmitOutcome::New(job) => job,
        other @ (SubmitOutcome::Existing(_) | SubmitOutcome::Conflict | SubmitOutcome::QueueFull(_)) => {
            panic!("the submission is not a new job: {other:?}")
        }
    }
}

/// The completion of a job by its runner.
pub(crate) fn complete(job: &Job) -> Event {
    let assignment = job.assignment().expect("the job is assigned");
    let lease_claim = LeaseClaim { runner: assignment.runner.clone(), lease: Some(job.lease) };
    Event::Complete { lease_claim, result: Fingerprint([7; 32]) }
}

pub(crate) fn output(text: &str) -> RunnerOutput {
    RunnerOutput { result: Some(text.to_owned()), ..RunnerOutput::default() }
}

pub(crate) fn claim(name: &str) -> Event {
    Event::Claim { runner: runner(name) }
}

pub(crate) async fn apply_ok(
    store: &dyn Store,
    id: JobId,
    event: Event,
    payload: RunnerOutput,
) -> AppliedEvent {
    match store.apply_event(id, event, payload, at(2)).await.unwrap() {
        EventOutcome::Applied(answer) => answer,
        other @ (EventOutcome::Rejected(..) | EventOutcome::ConsoleFull | EventOutcome::UnknownJob) => {
            panic!("the event is not applied: {other:?}")
        }
    }
}

/// The next notification from another instance.
pub(crate) async fn next_notification(store: &dyn Store) -> StoreNotification {
    tokio::time::timeout(DEADLINE, store.next_notification()).await.expect("a notification arrives")
}

/// Skips notifications until one matches.
pub(crate) async fn wait_for_notification(store: &dyn Store, matches: impl Fn(&StoreNotification) -> bool) {
    while !matches(&next_notification(store).await) {}
}
