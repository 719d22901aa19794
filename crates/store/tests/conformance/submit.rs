//! Submissions: new jobs, joined jobs, cached results, recomputation, and idempotency keys.

use std::time::Duration;

use pilotlight_core::job::{CancelScope, Event, Status, Transition};
use pilotlight_store::{JobOutput, SubmitOutcome};

use crate::fixture::{
    StoreFixture, at, key, no_output, recomputed, submission, submission_of_type, with_idempotency_key,
    with_options,
};

pub(crate) async fn a_submission_becomes_a_job(fixture: StoreFixture) {
    let job = fixture.submit_new(submission("a"), at(5)).await;
    assert!(job.is_current);
    assert_eq!((job.created_at, job.callers, job.status(at(5))), (at(5), 1, Status::Pending));
    let found = fixture.record(job.id).await;
    assert_eq!((found.job, found.output), (job.clone(), Some(JobOutput::default())));
    assert_eq!(fixture.input(job.id).await.unwrap().as_deref(), Some(r#"{"name":"a"}"#));
}

pub(crate) async fn a_job_reads_back_as_it_was_submitted(fixture: StoreFixture) {
    let submitted = with_options(submission("a"), |options| {
        options.priority = -7;
        options.run_at = at(70);
        options.max_attempts = 3;
        options.retry_backoff = Duration::from_millis(17);
        options.ttl = Some(Duration::from_secs(9));
    });
    let job = fixture.submit_new(submitted.clone(), at(5)).await;
    assert_eq!(job.options, submitted.options);
    assert_eq!(fixture.record(job.id).await.job, job);
}

pub(crate) async fn an_unknown_job_is_not_found(fixture: StoreFixture) {
    assert!(fixture.job(submission("a").id).await.unwrap().is_none());
    assert!(fixture.input(submission("a").id).await.unwrap().is_none());
    assert!(fixture.lookup(key("a")).await.unwrap().is_none());
}

pub(crate) async fn an_equal_submission_joins_the_job_in_flight(fixture: StoreFixture) {
    let job = fixture.submit_new(submission("a"), at(5)).await;
    let found = fixture.submit_existing(submission("a"), at(6)).await;
    assert_eq!((found.job.id, found.job.callers), (job.id, 2));
    assert_eq!(found.output, None);
    assert_eq!(fixture.record(job.id).await.job, found.job);
}

pub(crate) async fn an_equal_submission_joins_a_running_job(fixture: StoreFixture) {
    let job = fixture.submit_new(submission("a"), at(5)).await;
    let job = fixture.claim(job.id, "r", at(6)).await;
    let (_, job) = fixture.apply_ok(job.id, crate::fixture::heartbeat(&job), no_output(), at(7)).await;
    let urgent = with_options(submission("a"), |options| options.priority = 9);
    let found = fixture.submit_existing(urgent, at(8)).await;
    assert_eq!((found.job.callers, found.job.options.priority), (2, 9));
    assert_eq!(found.job.state, job.state);
    assert_eq!(fixture.record(job.id).await.job, found.job);
}

pub(crate) async fn another_submission_is_another_job(fixture: StoreFixture) {
    let one = fixture.submit_new(submission("a"), at(5)).await;
    let other = fixture.submit_new(submission("b"), at(5)).await;
    assert_ne!(one.id, other.id);
    assert_eq!(fixture.record(one.id).await.job.callers, 1);
}

pub(crate) async fn joined_callers_share_the_most_urgent_options(fixture: StoreFixture) {
    let late = with_options(submission("a"), |options| options.run_at = at(500));
    let job = fixture.submit_new(late, at(5)).await;
    let urgent = with_options(submission("a"), |options| {
        options.priority = 3;
        options.run_at = at(6);
        options.max_attempts = 9;
    });
    let found = fixture.submit_existing(urgent, at(6)).await;
    assert_eq!((found.job.options.priority, found.job.ready_at), (3, at(6)));
    assert_eq!(found.job.options.max_attempts, 1);
    let leased = fixture
        .dispatch_next("render", "r", at(6))
        .await
        .expect("the joined caller's earlier `run_at` makes the job ready");
    assert_eq!(leased.job.id, job.id);
}

pub(crate) async fn a_result_answers_equal_submissions(fixture: StoreFixture) {
    let job = fixture.completed_job("a", "42", at(5)).await;
    let found = fixture.submit_existing(submission("a"), at(9)).await;
    assert_eq!((found.job.id, found.job.callers), (job.id, 1));
    assert_eq!(found.output.unwrap().result.as_deref(), Some("42"));
}

pub(crate) async fn a_lookup_finds_the_same_job_as_a_submission(fixture: StoreFixture) {
    let pending = fixture.submit_new(submission("a"), at(5)).await;
    let found = fixture.lookup(key("a")).await.unwrap().unwrap();
    assert_eq!((found.job, found.output), (pending, None));
    let ended = fixture.completed_job("b", "42", at(5)).await;
    let found = fixture.lookup(key("b")).await.unwrap().unwrap();
    assert_eq!((found.job.id, found.output.unwrap().result.as_deref()), (ended.id, Some("42")));
}

pub(crate) async fn an_expired_result_is_computed_again(fixture: StoreFixture) {
    let old = with_options(submission("a"), |options| options.ttl = Some(Duration::from_millis(100)));
    let old = fixture.complete_submission(old, "42", at(5)).await;
    assert_eq!(fixture.submit_existing(submission("a"), at(104)).await.job.id, old.id);
    let job = fixture.submit_new(submission("a"), at(105)).await;
    assert!(job.is_current);
    assert_eq!(fixture.record(old.id).await.job.status(at(105)), Status::Expired);
    assert!(!fixture.record(old.id).await.job.is_current);
}

pub(crate) async fn an_invalid_result_is_computed_again(fixture: StoreFixture) {
    let old = fixture.completed_job("a", "42", at(5)).await;
    let (transition, job) = fixture.apply_ok(old.id, Event::ResultInvalid, no_output(), at(6)).await;
    assert_eq!((transition, job.status(at(6))), (Transition::Expired, Status::Expired));
    let job = fixture.submit_new(submission("a"), at(7)).await;
    assert_eq!(fixture.lookup(key("a")).await.unwrap().unwrap().job.id, job.id);
}

pub(crate) async fn a_failure_answers_equal_submissions_until_it_expires(fixture: StoreFixture) {
    let job = fixture.submit_new(submission("a"), at(5)).await;
    let job = fixture.claim(job.id, "r", at(5)).await;
    fixture.fail(&job, "no", at(10)).await;
    let found = fixture.submit_existing(submission("a"), at(609)).await;
    assert_eq!(found.output.unwrap().error.as_deref(), Some("no"));
    assert_ne!(fixture.submit_new(submission("a"), at(610)).await.id, job.id);
}

pub(crate) async fn a_cancelled_job_answers_no_equal_submission(fixture: StoreFixture) {
    let job = fixture.submit_new(submission("a"), at(5)).await;
    fixture.cancel(job.id, CancelScope::AllCallers, at(6)).await;
    let next = fixture.submit_new(submission("a"), at(7)).await;
    assert!(next.is_current);
    assert!(!fixture.record(job.id).await.job.is_current);
}

pub(crate) async fn a_recomputing_submission_never_joins_a_job_in_flight(fixture: StoreFixture) {
    let in_flight = fixture.submit_new(submission("a"), at(5)).await;
    let recomputation = fixture.submit_new(recomputed(submission("a")), at(6)).await;
    assert!(!recomputation.is_current);
    assert_eq!(fixture.record(in_flight.id).await.job.callers, 1);
    assert_eq!(fixture.submit_existing(submission("a"), at(7)).await.job.id, in_flight.id);
}

pub(crate) async fn a_recomputed_result_replaces_the_cached_one(fixture: StoreFixture) {
    let old = fixture.completed_job("a", "1", at(5)).await;
    let recomputation = fixture.submit_new(recomputed(submission("a")), at(6)).await;
    assert_eq!(fixture.submit_existing(submission("a"), at(7)).await.job.id, old.id);
    let recomputation = fixture.claim(recomputation.id, "r", at(8)).await;
    assert!(fixture.complete(&recomputation, "2", at(9)).await.is_current);
    assert_eq!(
        fixture.submit_existing(submission("a"), at(10)).await.output.unwrap().result.as_deref(),
        Some("2")
    );
    assert!(!fixture.record(old.id).await.job.is_current);
}

pub(crate) async fn a_failed_recomputation_leaves_the_cached_result(fixture: StoreFixture) {
    let old = fixture.completed_job("a", "1", at(5)).await;
    let recomputation = fixture.submit_new(recomputed(submission("a")), at(6)).await;
    let recomputation = fixture.claim(recomputation.id, "r", at(8)).await;
    fixture.fail(&recomputation, "no", at(9)).await;
    assert_eq!(fixture.submit_existing(submission("a"), at(10)).await.job.id, old.id);
}

pub(crate) async fn a_recomputing_submission_of_a_new_key_is_current(fixture: StoreFixture) {
    assert!(fixture.submit_new(recomputed(submission("a")), at(6)).await.is_current);
}

pub(crate) async fn an_older_job_that_completes_later_leaves_the_newer_result(fixture: StoreFixture) {
    let old = fixture.claimed_job("a", at(5)).await;
    let slow = fixture.submit_new(recomputed(submission("a")), at(6)).await;
    let slow = fixture.claim(slow.id, "r", at(6)).await;
    let newer = fixture.submit_new(recomputed(submission("a")), at(6)).await;
    let newer = fixture.claim(newer.id, "r", at(7)).await;
    assert!(fixture.complete(&newer, "3", at(8)).await.is_current);
    for (older, result) in [(&slow, "2"), (&old, "1")] {
        let ended = fixture.complete(older, result, at(9)).await;
        assert_eq!((ended.status(at(9)), ended.is_current), (Status::Completed, false));
        let found = fixture.record(older.id).await;
        assert_eq!((&found.job, found.output.unwrap().result.as_deref()), (&ended, Some(result)));
    }
    let current = fixture.submit_existing(submission("a"), at(10)).await;
    assert_eq!((current.job.id, current.output.unwrap().result.as_deref()), (newer.id, Some("3")));
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_result_replaces_a_later_job_without_a_valid_result(fixture: StoreFixture) {
    for name in ["failed", "cancelled", "expired", "invalid", "deleted"] {
        // The cache key has no valid result when the later job is submitted, so the later job becomes current.
        let old = fixture.claimed_job(name, at(5)).await;
        let slow = fixture.submit_new(recomputed(submission(name)), at(6)).await;
        let slow = fixture.claim(slow.id, "r", at(6)).await;
        fixture.cancel(old.id, CancelScope::AllCallers, at(7)).await;
        let ttl = with_options(submission(name), |options| options.ttl = Some(Duration::from_millis(2)));
        let newer = fixture.submit_new(ttl, at(8)).await;
        let newer = fixture.claim(newer.id, "r", at(8)).await;
        assert!(newer.is_current);
        match name {
            "failed" => _ = fixture.fail(&newer, "no", at(9)).await,
            "cancelled" => _ = fixture.cancel(newer.id, CancelScope::AllCallers, at(9)).await,
            "invalid" => {
                fixture.complete(&newer, "2", at(9)).await;
                fixture.apply_ok(newer.id, Event::ResultInvalid, no_output(), at(9)).await;
            }
            "expired" => _ = fixture.complete(&newer, "2", at(9)).await,
            _ => _ = fixture.delete(&[newer.id]).await.unwrap(),
        }
        assert!(fixture.complete(&slow, "1", at(11)).await.is_current, "{name}");
        assert_eq!(fixture.submit_existing(submission(name), at(12)).await.job.id, slow.id, "{name}");
    }
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_result_replaces_a_later_job_in_flight_until_that_one_completes(fixture: StoreFixture) {
    let old = fixture.claimed_job("a", at(5)).await;
    let slow = fixture.submit_new(recomputed(submission("a")), at(6)).await;
    let slow = fixture.claim(slow.id, "r", at(6)).await;
    fixture.cancel(old.id, CancelScope::AllCallers, at(7)).await;
    let newer = fixture.claimed_job("a", at(8)).await;
    fixture.complete(&slow, "1", at(9)).await;
    assert_eq!(fixture.submit_existing(submission("a"), at(10)).await.job.id, slow.id);
    assert!(fixture.complete(&newer, "2", at(11)).await.is_current);
    assert_eq!(fixture.submit_existing(submission("a"), at(12)).await.job.id, newer.id);
}

pub(crate) async fn a_repeated_submission_is_the_same_job(fixture: StoreFixture) {
    let job = fixture.submit_new(with_idempotency_key(recomputed(submission("a")), "k"), at(5)).await;
    let found = fixture.submit_existing(with_idempotency_key(recomputed(submission("a")), "k"), at(6)).await;
    assert_eq!((found.job.id, found.job.callers, found.output), (job.id, 1, None));
    let job = fixture.claim(job.id, "r", at(7)).await;
    fixture.complete(&job, "42", at(8)).await;
    let found = fixture.submit_existing(with_idempotency_key(recomputed(submission("a")), "k"), at(9)).await;
    assert_eq!((found.job.id, found.output.unwrap().result.as_deref()), (job.id, Some("42")));
}

pub(crate) async fn a_repeated_submission_joins_once(fixture: StoreFixture) {
    let job = fixture.submit_new(submission("a"), at(5)).await;
    for now in [6, 7, 8] {
        let found = fixture.submit_existing(with_idempotency_key(submission("a"), "k"), at(now)).await;
        assert_eq!((found.job.id, found.job.callers), (job.id, 2));
    }
}

pub(crate) async fn one_idempotency_key_for_two_submissions_is_a_conflict(fixture: StoreFixture) {
    let job = fixture.submit_new(with_idempotency_key(submission("a"), "k"), at(5)).await;
    let other = fixture.submit(with_idempotency_key(submission("b"), "k"), at(6)).await.unwrap();
    assert!(matches!(other, SubmitOutcome::Conflict), "{other:?}");
    assert!(fixture.lookup(key("b")).await.unwrap().is_none());
    assert_eq!(fixture.record(job.id).await.job, job);
}

pub(crate) async fn an_idempotency_key_is_free_after_its_job_is_deleted(fixture: StoreFixture) {
    let job = fixture.submit_new(with_idempotency_key(submission("a"), "k"), at(5)).await;
    fixture.delete(&[job.id]).await.unwrap();
    fixture.submit_new(with_idempotency_key(submission("b"), "k"), at(6)).await;
}

pub(crate) async fn special_characters_are_stored_unchanged(fixture: StoreFixture) {
    let mut special = submission_of_type("\u{1f525} 'type\" \\ ; -- \n", "a");
    special.input = "{\"\u{e9}\": \"\u{10ffff} ' \\\\ \"}".to_owned();
    let input = special.input.clone();
    let job = fixture.submit_new(special, at(5)).await;
    assert_eq!(fixture.record(job.id).await.job, job);
    assert_eq!(fixture.input(job.id).await.unwrap(), Some(input));
}
