//! Short helpers for the actions of callers and runners, and waits with a deadline.

use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::job::{Event, Fingerprint, Job, JobId, LeaseClaim};
use pilotlight_store::postgres::Postgres;
use pilotlight_store::{
    AppliedEvent, Error, EventOutcome, NewJob, RunnerOutput, Store, StoreNotification, SubmitOutcome,
};
use pilotlight_testkit::store_fixtures;
pub(crate) use pilotlight_testkit::store_fixtures::{at, job_type, runner};

/// A wait that takes longer fails the test. A loaded machine needs only a small part of it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) async fn open(address: &str) -> Arc<dyn Store> {
    try_open(address).await.unwrap()
}

pub(crate) async fn try_open(address: &str) -> Result<Arc<dyn Store>, Error> {
    Postgres::open(address, store_fixtures::settings()).await
}

/// A submission of this type; equal numbers are equal submissions.
pub(crate) fn submission(type_name: &str, number: u64) -> NewJob {
    store_fixtures::submission(type_name, &number.to_string())
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
    output: RunnerOutput,
) -> AppliedEvent {
    match store.apply_event(id, event, output, at(2)).await.unwrap() {
        EventOutcome::Applied(applied) => applied,
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
