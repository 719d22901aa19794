//! What a submission becomes.

use std::time::Duration;

use pilotlight_core::job::{CancelScope, Event, Status, Transition};
use pilotlight_store::{JobOutput, SubmitOutcome};

use crate::stage::{Stage, again, at, key, new, new_of, nothing, once, with};

pub(crate) async fn a_submission_becomes_a_job(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    assert!(job.is_current);
    assert_eq!((job.created_at, job.callers, job.status(at(5))), (at(5), 1, Status::Pending));
    let found = stage.found(job.id).await;
    assert_eq!((found.job, found.output), (job.clone(), Some(JobOutput::default())));
    assert_eq!(stage.input(job.id).await.unwrap().as_deref(), Some(r#"{"name":"a"}"#));
}

pub(crate) async fn a_job_reads_back_as_it_was_submitted(stage: Stage) {
    let wishes = with(new("a"), |options| {
        options.priority = -7;
        options.run_at = at(70);
        options.max_attempts = 3;
        options.retry_backoff = Duration::from_millis(17);
        options.ttl = Some(Duration::from_secs(9));
    });
    let job = stage.new_job(wishes.clone(), at(5)).await;
    assert_eq!(job.options, wishes.options);
    assert_eq!(stage.found(job.id).await.job, job);
}

pub(crate) async fn what_was_never_submitted_is_not_there(stage: Stage) {
    assert!(stage.job(new("a").id).await.unwrap().is_none());
    assert!(stage.input(new("a").id).await.unwrap().is_none());
    assert!(stage.lookup(key("a")).await.unwrap().is_none());
}

pub(crate) async fn an_equal_submission_joins_the_one_under_way(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    let found = stage.known(new("a"), at(6)).await;
    assert_eq!((found.job.id, found.job.callers), (job.id, 2));
    assert_eq!(found.output, None);
    assert_eq!(stage.found(job.id).await.job, found.job);
}

pub(crate) async fn an_equal_submission_joins_one_that_executes(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    let job = stage.claim(job.id, "r", at(6)).await;
    let (_, job) = stage.taken(job.id, crate::stage::heartbeat(&job), nothing(), at(7)).await;
    let urgent = with(new("a"), |options| options.priority = 9);
    let found = stage.known(urgent, at(8)).await;
    assert_eq!((found.job.callers, found.job.options.priority), (2, 9));
    assert_eq!(found.job.state, job.state);
    assert_eq!(stage.found(job.id).await.job, found.job);
}

pub(crate) async fn another_submission_is_another_job(stage: Stage) {
    let one = stage.new_job(new("a"), at(5)).await;
    let other = stage.new_job(new("b"), at(5)).await;
    assert_ne!(one.id, other.id);
    assert_eq!(stage.found(one.id).await.job.callers, 1);
}

pub(crate) async fn joined_callers_share_the_most_urgent_wish(stage: Stage) {
    let late = with(new("a"), |options| options.run_at = at(500));
    let job = stage.new_job(late, at(5)).await;
    let urgent = with(new("a"), |options| {
        options.priority = 3;
        options.run_at = at(6);
        options.max_attempts = 9;
    });
    let found = stage.known(urgent, at(6)).await;
    assert_eq!((found.job.options.priority, found.job.ready_at), (3, at(6)));
    assert_eq!(found.job.options.max_attempts, 1);
    let handed =
        stage.next("render", "r", at(6)).await.expect("its time has come with the caller who joined");
    assert_eq!(handed.job.id, job.id);
}

pub(crate) async fn a_result_is_the_answer_to_equal_submissions(stage: Stage) {
    let job = stage.ended("a", "42", at(5)).await;
    let found = stage.known(new("a"), at(9)).await;
    assert_eq!((found.job.id, found.job.callers), (job.id, 1));
    assert_eq!(found.output.unwrap().result.as_deref(), Some("42"));
}

pub(crate) async fn a_lookup_finds_what_a_submission_would(stage: Stage) {
    let pending = stage.new_job(new("a"), at(5)).await;
    let found = stage.lookup(key("a")).await.unwrap().unwrap();
    assert_eq!((found.job, found.output), (pending, None));
    let ended = stage.ended("b", "42", at(5)).await;
    let found = stage.lookup(key("b")).await.unwrap().unwrap();
    assert_eq!((found.job.id, found.output.unwrap().result.as_deref()), (ended.id, Some("42")));
}

pub(crate) async fn an_expired_result_is_computed_again(stage: Stage) {
    let old = with(new("a"), |options| options.ttl = Some(Duration::from_millis(100)));
    let old = stage.ended_of(old, "42", at(5)).await;
    assert_eq!(stage.known(new("a"), at(104)).await.job.id, old.id);
    let job = stage.new_job(new("a"), at(105)).await;
    assert!(job.is_current);
    assert_eq!(stage.found(old.id).await.job.status(at(105)), Status::Expired);
    assert!(!stage.found(old.id).await.job.is_current);
}

pub(crate) async fn an_invalid_result_is_computed_again(stage: Stage) {
    let old = stage.ended("a", "42", at(5)).await;
    let (transition, job) = stage.taken(old.id, Event::ResultInvalid, nothing(), at(6)).await;
    assert_eq!((transition, job.status(at(6))), (Transition::Expired, Status::Expired));
    let job = stage.new_job(new("a"), at(7)).await;
    assert_eq!(stage.lookup(key("a")).await.unwrap().unwrap().job.id, job.id);
}

pub(crate) async fn a_failure_is_remembered_for_a_while(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    let job = stage.claim(job.id, "r", at(5)).await;
    stage.fail(&job, "no", at(10)).await;
    let found = stage.known(new("a"), at(609)).await;
    assert_eq!(found.output.unwrap().error.as_deref(), Some("no"));
    assert_ne!(stage.new_job(new("a"), at(610)).await.id, job.id);
}

pub(crate) async fn a_cancelled_job_is_not_remembered(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    stage.cancel(job.id, CancelScope::AllCallers, at(6)).await;
    let next = stage.new_job(new("a"), at(7)).await;
    assert!(next.is_current);
    assert!(!stage.found(job.id).await.job.is_current);
}

pub(crate) async fn a_fresh_submission_never_joins_a_twin_under_way(stage: Stage) {
    let twin = stage.new_job(new("a"), at(5)).await;
    let fresh = stage.new_job(again(new("a")), at(6)).await;
    assert!(!fresh.is_current);
    assert_eq!(stage.found(twin.id).await.job.callers, 1);
    assert_eq!(stage.known(new("a"), at(7)).await.job.id, twin.id);
}

pub(crate) async fn a_fresh_result_replaces_the_known_one(stage: Stage) {
    let old = stage.ended("a", "1", at(5)).await;
    let fresh = stage.new_job(again(new("a")), at(6)).await;
    assert_eq!(stage.known(new("a"), at(7)).await.job.id, old.id);
    let fresh = stage.claim(fresh.id, "r", at(8)).await;
    assert!(stage.complete(&fresh, "2", at(9)).await.is_current);
    assert_eq!(stage.known(new("a"), at(10)).await.output.unwrap().result.as_deref(), Some("2"));
    assert!(!stage.found(old.id).await.job.is_current);
}

pub(crate) async fn a_fresh_failure_leaves_the_known_result(stage: Stage) {
    let old = stage.ended("a", "1", at(5)).await;
    let fresh = stage.new_job(again(new("a")), at(6)).await;
    let fresh = stage.claim(fresh.id, "r", at(8)).await;
    stage.fail(&fresh, "no", at(9)).await;
    assert_eq!(stage.known(new("a"), at(10)).await.job.id, old.id);
}

pub(crate) async fn a_fresh_submission_of_the_unknown_is_current(stage: Stage) {
    assert!(stage.new_job(again(new("a")), at(6)).await.is_current);
}

pub(crate) async fn a_slow_older_twin_leaves_the_newer_result(stage: Stage) {
    let old = stage.claimed("a", at(5)).await;
    let slow = stage.new_job(again(new("a")), at(6)).await;
    let slow = stage.claim(slow.id, "r", at(6)).await;
    let young = stage.new_job(again(new("a")), at(6)).await;
    let young = stage.claim(young.id, "r", at(7)).await;
    assert!(stage.complete(&young, "3", at(8)).await.is_current);
    for (older, result) in [(&slow, "2"), (&old, "1")] {
        let ended = stage.complete(older, result, at(9)).await;
        assert_eq!((ended.status(at(9)), ended.is_current), (Status::Completed, false));
        let found = stage.found(older.id).await;
        assert_eq!((&found.job, found.output.unwrap().result.as_deref()), (&ended, Some(result)));
    }
    let known = stage.known(new("a"), at(10)).await;
    assert_eq!((known.job.id, known.output.unwrap().result.as_deref()), (young.id, Some("3")));
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_result_replaces_a_later_submission_without_a_valid_one(stage: Stage) {
    for name in ["failed", "cancelled", "expired", "invalid", "deleted"] {
        // Nothing is known of the key when the later one is submitted, so that is the one that is found.
        let old = stage.claimed(name, at(5)).await;
        let slow = stage.new_job(again(new(name)), at(6)).await;
        let slow = stage.claim(slow.id, "r", at(6)).await;
        stage.cancel(old.id, CancelScope::AllCallers, at(7)).await;
        let ttl = with(new(name), |options| options.ttl = Some(Duration::from_millis(2)));
        let young = stage.new_job(ttl, at(8)).await;
        let young = stage.claim(young.id, "r", at(8)).await;
        assert!(young.is_current);
        match name {
            "failed" => _ = stage.fail(&young, "no", at(9)).await,
            "cancelled" => _ = stage.cancel(young.id, CancelScope::AllCallers, at(9)).await,
            "invalid" => {
                stage.complete(&young, "2", at(9)).await;
                stage.taken(young.id, Event::ResultInvalid, nothing(), at(9)).await;
            }
            "expired" => _ = stage.complete(&young, "2", at(9)).await,
            _ => _ = stage.delete(&[young.id]).await.unwrap(),
        }
        assert!(stage.complete(&slow, "1", at(11)).await.is_current, "{name}");
        assert_eq!(stage.known(new(name), at(12)).await.job.id, slow.id, "{name}");
    }
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_result_replaces_a_later_submission_under_way_until_that_one_completes(stage: Stage) {
    let old = stage.claimed("a", at(5)).await;
    let slow = stage.new_job(again(new("a")), at(6)).await;
    let slow = stage.claim(slow.id, "r", at(6)).await;
    stage.cancel(old.id, CancelScope::AllCallers, at(7)).await;
    let young = stage.claimed("a", at(8)).await;
    stage.complete(&slow, "1", at(9)).await;
    assert_eq!(stage.known(new("a"), at(10)).await.job.id, slow.id);
    assert!(stage.complete(&young, "2", at(11)).await.is_current);
    assert_eq!(stage.known(new("a"), at(12)).await.job.id, young.id);
}

pub(crate) async fn a_repeated_submission_is_the_same_job(stage: Stage) {
    let job = stage.new_job(once(again(new("a")), "k"), at(5)).await;
    let found = stage.known(once(again(new("a")), "k"), at(6)).await;
    assert_eq!((found.job.id, found.job.callers, found.output), (job.id, 1, None));
    let job = stage.claim(job.id, "r", at(7)).await;
    stage.complete(&job, "42", at(8)).await;
    let found = stage.known(once(again(new("a")), "k"), at(9)).await;
    assert_eq!((found.job.id, found.output.unwrap().result.as_deref()), (job.id, Some("42")));
}

pub(crate) async fn a_repeated_submission_joins_once(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    for now in [6, 7, 8] {
        let found = stage.known(once(new("a"), "k"), at(now)).await;
        assert_eq!((found.job.id, found.job.callers), (job.id, 2));
    }
}

pub(crate) async fn one_idempotency_key_for_two_submissions_is_a_conflict(stage: Stage) {
    let job = stage.new_job(once(new("a"), "k"), at(5)).await;
    let other = stage.submit(once(new("b"), "k"), at(6)).await.unwrap();
    assert!(matches!(other, SubmitOutcome::Conflict), "{other:?}");
    assert!(stage.lookup(key("b")).await.unwrap().is_none());
    assert_eq!(stage.found(job.id).await.job, job);
}

pub(crate) async fn an_idempotency_key_is_free_again_when_its_job_is_gone(stage: Stage) {
    let job = stage.new_job(once(new("a"), "k"), at(5)).await;
    stage.delete(&[job.id]).await.unwrap();
    stage.new_job(once(new("b"), "k"), at(6)).await;
}

pub(crate) async fn texts_of_any_kind_are_kept(stage: Stage) {
    let mut odd = new_of("\u{1f525} 'type\" \\ ; -- \n", "a");
    odd.input = "{\"\u{e9}\": \"\u{10ffff} ' \\\\ \"}".to_owned();
    let input = odd.input.clone();
    let job = stage.new_job(odd, at(5)).await;
    assert_eq!(stage.found(job.id).await.job, job);
    assert_eq!(stage.input(job.id).await.unwrap(), Some(input));
}
