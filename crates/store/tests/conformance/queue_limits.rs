//! The limits on the number and bytes of waiting jobs.

use pilotlight_core::job::{CancelScope, QueueFull, QueueLimits, QueueUsage, Transition};
use pilotlight_core::time::Timestamp;
use pilotlight_store::SubmitOutcome;
use tokio::task::JoinSet;

use crate::fixture::{
    StoreFixture, at, key, recomputed, submission, submission_of_type, with_idempotency_key, with_options,
};

/// Bytes of the parameters of a job with a name of one letter.
const INPUT_BYTES: u64 = 12;

const TWO_JOBS: QueueLimits = QueueLimits { jobs: 2, bytes: 0 };

async fn queue_usage(fixture: &StoreFixture, now: Timestamp) -> QueueUsage {
    fixture.backlog(now).await.unwrap().usage
}

pub(crate) async fn queue_usage_counts_jobs_and_bytes(fixture: StoreFixture) {
    let usage = |jobs, bytes| QueueUsage { jobs, bytes };
    assert_eq!(queue_usage(&fixture, at(5)).await, QueueUsage::default());
    fixture.submit_new(submission_of_type("one", "a"), at(5)).await;
    fixture
        .submit_new(with_options(submission_of_type("two", "b"), |options| options.run_at = at(50)), at(5))
        .await;
    let job =
        fixture.submit_new(with_options(submission("c"), |options| options.max_attempts = 2), at(5)).await;
    assert_eq!(queue_usage(&fixture, at(6)).await, usage(3, 3 * INPUT_BYTES));
    let job = fixture.claim(job.id, "r", at(6)).await;
    assert_eq!(queue_usage(&fixture, at(6)).await, usage(2, 2 * INPUT_BYTES));
    fixture
        .apply_ok(job.id, crate::fixture::heartbeat(&job), crate::fixture::console_replacement("four"), at(7))
        .await;
    fixture.fail(&job, "no", at(7)).await;
    assert_eq!(queue_usage(&fixture, at(7)).await, usage(3, 3 * INPUT_BYTES + 4));
    assert_eq!(
        queue_usage(&fixture, at(50)).await,
        usage(3, 3 * INPUT_BYTES + 4),
        "all waiting jobs are ready"
    );
    let job = fixture.claim(job.id, "r", at(50)).await;
    fixture.complete(&job, "42", at(51)).await;
    assert_eq!(queue_usage(&fixture, at(51)).await, usage(2, 2 * INPUT_BYTES));
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_new_job_is_rejected_at_the_job_limit(fixture: StoreFixture) {
    let fixture = fixture.with_queue_limits(TWO_JOBS).await;
    fixture.submit_new(submission_of_type("one", "a"), at(5)).await;
    fixture
        .submit_new(with_options(submission_of_type("two", "b"), |options| options.run_at = at(50)), at(5))
        .await;
    assert_eq!(fixture.submit_over_limit(submission_of_type("three", "c"), at(6)).await, QueueFull::Jobs(2));
    assert_eq!(
        fixture.submit_over_limit(recomputed(submission_of_type("one", "a")), at(6)).await,
        QueueFull::Jobs(2)
    );
}

pub(crate) async fn a_new_job_is_rejected_at_the_byte_limit(fixture: StoreFixture) {
    let fixture = fixture.with_queue_limits(QueueLimits { jobs: 0, bytes: INPUT_BYTES + 1 }).await;
    fixture.submit_new(submission("a"), at(5)).await;
    fixture.submit_new(submission("b"), at(5)).await;
    assert_eq!(fixture.submit_over_limit(submission("c"), at(6)).await, QueueFull::Bytes(INPUT_BYTES + 1));
}

pub(crate) async fn submissions_of_existing_jobs_ignore_the_limit(fixture: StoreFixture) {
    let fixture = fixture.with_queue_limits(TWO_JOBS).await;
    let ended = fixture.completed_job("a", "42", at(5)).await;
    let running = fixture.claimed_job("b", at(5)).await;
    let waiting = fixture.submit_new(with_idempotency_key(recomputed(submission("c")), "k"), at(5)).await;
    fixture.submit_new(submission("d"), at(5)).await;
    assert_eq!(fixture.submit_over_limit(submission("e"), at(6)).await, QueueFull::Jobs(2));
    for (equal, id) in [
        (submission("a"), ended.id),
        (submission("b"), running.id),
        (submission("c"), waiting.id),
        (with_idempotency_key(recomputed(submission("c")), "k"), waiting.id),
    ] {
        assert_eq!(fixture.submit_existing(equal, at(6)).await.job.id, id);
    }
}

pub(crate) async fn a_rejected_submission_changes_nothing(fixture: StoreFixture) {
    let fixture = fixture.with_queue_limits(TWO_JOBS).await;
    let old = fixture.completed_job("a", "42", at(5)).await;
    fixture.submit_new(submission("b"), at(5)).await;
    fixture.submit_new(submission("c"), at(5)).await;
    let (before, bytes) =
        (fixture.counts(at(0), at(6)).await.unwrap(), fixture.stored_bytes().await.unwrap());
    fixture.submit_over_limit(with_idempotency_key(submission("d"), "k"), at(6)).await;
    fixture.submit_over_limit(recomputed(submission("a")), at(6)).await;
    assert_eq!(fixture.counts(at(0), at(6)).await.unwrap(), before);
    assert_eq!(fixture.stored_bytes().await.unwrap(), bytes);
    assert!(fixture.lookup(key("d")).await.unwrap().is_none());
    assert_eq!(fixture.submit_existing(submission("a"), at(6)).await.job, old);
    fixture.dispatch_next("render", "r", at(6)).await.unwrap();
    fixture.submit_new(with_idempotency_key(submission("e"), "k"), at(7)).await;
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn submissions_are_accepted_again_when_the_queue_shrinks(fixture: StoreFixture) {
    let fixture = fixture.with_queue_limits(TWO_JOBS).await;
    fixture.submit_new(submission("a"), at(5)).await;
    fixture.submit_new(submission("b"), at(5)).await;
    fixture.submit_over_limit(submission("c"), at(6)).await;
    fixture.dispatch_next("render", "r", at(6)).await.unwrap();
    let waiting = fixture.submit_new(submission("c"), at(6)).await;
    fixture.submit_over_limit(submission("d"), at(7)).await;
    fixture.cancel(waiting.id, CancelScope::AllCallers, at(7)).await;
    let waiting = fixture.submit_new(submission("d"), at(7)).await;
    fixture.submit_over_limit(submission("e"), at(8)).await;
    fixture.delete(&[waiting.id]).await.unwrap();
    fixture.submit_new(submission("e"), at(8)).await;
}

pub(crate) async fn a_requeued_job_ignores_the_limit(fixture: StoreFixture) {
    let fixture = fixture.with_queue_limits(TWO_JOBS).await;
    fixture.claimed_job("a", at(5)).await;
    fixture.submit_new(submission("b"), at(5)).await;
    fixture.submit_new(submission("c"), at(5)).await;
    let swept = fixture.sweep(10, Timestamp::default(), at(100)).await.unwrap();
    assert_eq!(swept.iter().map(|applied| applied.transition).collect::<Vec<_>>(), [Transition::Queued]);
    assert_eq!(queue_usage(&fixture, at(100)).await.jobs, 3);
    assert_eq!(fixture.submit_over_limit(submission("d"), at(101)).await, QueueFull::Jobs(2));
}

/// The number of jobs by which the limit may be exceeded on PostgreSQL: each of its 16 connections may be running a
/// usage query and inserting a job at the same time.
const MAX_OVERSHOOT: usize = 2 * 16;

pub(crate) async fn a_hundred_concurrent_submissions_barely_exceed_the_limit(fixture: StoreFixture) {
    let fixture = fixture.with_queue_limits(QueueLimits { jobs: 50, bytes: 0 }).await;
    let mut callers = JoinSet::new();
    for number in 0..100 {
        let store = fixture.shared_store();
        callers.spawn(async move { store.submit(submission(&number.to_string()), at(5)).await.unwrap() });
    }
    let submitted = callers.join_all().await;
    let created = submitted.iter().filter(|it| matches!(it, SubmitOutcome::New(_))).count();
    assert!((50..=50 + MAX_OVERSHOOT).contains(&created), "{created}");
    assert!(submitted.iter().all(|it| matches!(it, SubmitOutcome::New(_) | SubmitOutcome::QueueFull(_))));
}
