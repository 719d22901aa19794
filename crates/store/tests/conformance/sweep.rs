//! Timeouts: lost leases, unanswered dispatches, expired results, and results due for validation.

use std::time::Duration;

use pilotlight_core::job::{Failure, Rejected, State, Status, Transition};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{AppliedEvent, JobFilter};

use crate::fixture::{StoreFixture, at, heartbeat, key, no_output, submission, with_options};

pub(crate) async fn a_silent_runners_job_is_requeued_without_using_an_attempt(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    assert!(fixture.sweep(10, Timestamp::default(), at(94)).await.unwrap().is_empty());
    let swept = fixture.sweep(10, Timestamp::default(), at(95)).await.unwrap();
    let [AppliedEvent { job: lost, transition: Transition::Queued, .. }] = &swept[..] else {
        panic!("{swept:?}")
    };
    assert_eq!((lost.id, lost.attempts, lost.lost_attempts), (job.id, 0, 1));
    assert_eq!(&fixture.record(job.id).await.job, lost);
    assert!(fixture.sweep(10, Timestamp::default(), at(95)).await.unwrap().is_empty());
    assert_eq!(fixture.apply_rejected(job.id, heartbeat(&job), at(96)).await, Rejected::StaleLease);
    assert_eq!(fixture.dispatch_next("render", "s", at(96)).await.unwrap().job.id, job.id);
}

pub(crate) async fn heartbeat_timeouts_start_when_the_service_listens(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    assert!(fixture.sweep(10, at(500), at(589)).await.unwrap().is_empty());
    fixture.apply_ok(job.id, heartbeat(&job), no_output(), at(589)).await;
    assert!(fixture.sweep(10, at(500), at(590)).await.unwrap().is_empty());
    assert_eq!(fixture.sweep(10, at(500), at(679)).await.unwrap().len(), 1);
}

pub(crate) async fn a_heartbeat_extends_the_lease(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    fixture.apply_ok(job.id, heartbeat(&job), no_output(), at(90)).await;
    fixture.apply_ok(job.id, heartbeat(&job), no_output(), at(91)).await;
    assert!(fixture.sweep(10, Timestamp::default(), at(180)).await.unwrap().is_empty());
    assert_eq!(fixture.sweep(10, Timestamp::default(), at(181)).await.unwrap().len(), 1);
}

pub(crate) async fn a_job_that_is_lost_too_often_fails_and_answers_no_equal_submission(
    fixture: StoreFixture,
) {
    let job = fixture.claimed_job("a", at(5)).await;
    fixture.sweep(10, Timestamp::default(), at(100)).await.unwrap();
    fixture.claim(job.id, "r", at(100)).await;
    let swept = fixture.sweep(10, Timestamp::default(), at(200)).await.unwrap();
    let [AppliedEvent { job: lost, transition: Transition::Failed, .. }] = &swept[..] else {
        panic!("{swept:?}")
    };
    assert!(matches!(lost.state, State::Failed { reason: Failure::Lost, until: None, .. }), "{lost:?}");
    assert!(fixture.submit_new(submission("a"), at(201)).await.is_current);
}

pub(crate) async fn a_dispatch_without_a_start_times_out(fixture: StoreFixture) {
    fixture.submit_new(submission("a"), at(5)).await;
    let leased = fixture.dispatch_next("render", "r", at(6)).await.unwrap();
    assert!(fixture.sweep(10, Timestamp::default(), at(25)).await.unwrap().is_empty());
    let swept = fixture.sweep(10, Timestamp::default(), at(26)).await.unwrap();
    let [AppliedEvent { job, transition: Transition::Queued, .. }] = &swept[..] else { panic!("{swept:?}") };
    assert_eq!((job.id, job.attempts, job.lost_attempts), (leased.job.id, 0, 0));
    assert!(fixture.dispatch_next("render", "s", at(27)).await.is_some());
}

pub(crate) async fn a_sweep_respects_its_limit(fixture: StoreFixture) {
    for name in ["a", "b", "c"] {
        fixture.claimed_job(name, at(5)).await;
    }
    fixture.submit_new(submission("d"), at(5)).await;
    fixture.dispatch_next("render", "r", at(6)).await.unwrap();
    assert!(fixture.sweep(0, Timestamp::default(), at(500)).await.unwrap().is_empty());
    for expected in [3, 1, 0] {
        assert_eq!(fixture.sweep(3, Timestamp::default(), at(500)).await.unwrap().len(), expected);
    }
}

pub(crate) async fn a_result_past_its_ttl_is_marked_expired(fixture: StoreFixture) {
    let ttl = with_options(submission("a"), |options| options.ttl = Some(Duration::from_millis(30)));
    let job = fixture.complete_submission(ttl, "42", at(5)).await;
    fixture.completed_job("b", "42", at(5)).await;
    assert!(fixture.sweep(10, Timestamp::default(), at(34)).await.unwrap().is_empty());
    let swept = fixture.sweep(10, Timestamp::default(), at(35)).await.unwrap();
    let [AppliedEvent { job: expired, transition: Transition::Expired, .. }] = &swept[..] else {
        panic!("{swept:?}")
    };
    assert_eq!((expired.id, expired.status(at(35))), (job.id, Status::Expired));
    assert!(fixture.sweep(10, Timestamp::default(), at(35)).await.unwrap().is_empty());
    assert_eq!(
        fixture.lookup(key("a")).await.unwrap().unwrap().output.unwrap().result.as_deref(),
        Some("42")
    );
}

pub(crate) async fn lists_show_expired_results_before_a_sweep(fixture: StoreFixture) {
    for (name, ttl) in [("a", 10), ("b", 30), ("c", 20)] {
        let job = with_options(submission(name), |options| options.ttl = Some(Duration::from_millis(ttl)));
        fixture.complete_submission(job, "42", at(5)).await;
    }
    for swept in [false, true] {
        for (status, expected) in [(Status::Completed, 1), (Status::Expired, 2)] {
            let filter = JobFilter { status: Some(status), limit: 10 };
            let (jobs, total) = fixture.jobs(filter, at(25)).await.unwrap();
            assert_eq!((jobs.len(), total), (expected, expected as u64), "{status:?} {swept}");
            assert!(jobs.iter().all(|job| job.status(at(25)) == status));
            assert!(jobs.is_sorted_by(|one, next| one.id > next.id), "the newest job is first");
        }
        let counts = fixture.counts(at(0), at(25)).await.unwrap();
        assert_eq!(counts.jobs, [0, 0, 0, 1, 0, 2], "{swept}");
        fixture.sweep(10, Timestamp::default(), at(25)).await.unwrap();
    }
}

pub(crate) async fn only_results_not_validated_recently_are_due(fixture: StoreFixture) {
    let types = [crate::fixture::job_type("render")];
    let first = fixture.completed_job("a", "1", at(5)).await;
    let second = fixture.completed_job("b", "2", at(6)).await;
    fixture.claimed_job("c", at(7)).await;
    let due = async |before, at_most| {
        let found = fixture.due_for_validation(&types, at(before), at_most).await.unwrap();
        found.into_iter().map(|it| (it.job.id, it.output.unwrap().result.unwrap())).collect::<Vec<_>>()
    };
    let mut all = due(10, 10).await;
    all.sort();
    assert_eq!(all, [(first.id, "1".to_owned()), (second.id, "2".to_owned())]);
    assert_eq!(due(10, 1).await.len(), 1);
    fixture.mark_validated(first.id, at(10)).await.unwrap();
    assert_eq!(due(10, 10).await, [(second.id, "2".to_owned())]);
    fixture.mark_validated(second.id, at(11)).await.unwrap();
    assert_eq!(due(11, 10).await, [(first.id, "1".to_owned())]);
    fixture.apply_ok(first.id, pilotlight_core::job::Event::ResultInvalid, no_output(), at(12)).await;
    assert_eq!(due(20, 10).await, [(second.id, "2".to_owned())]);
    let other = [crate::fixture::job_type("other")];
    assert!(fixture.due_for_validation(&other, at(20), 10).await.unwrap().is_empty());
}

pub(crate) async fn a_replaced_result_is_not_due_for_validation(fixture: StoreFixture) {
    let types = [crate::fixture::job_type("render")];
    fixture.completed_job("a", "1", at(5)).await;
    let recomputation =
        fixture.complete_submission(crate::fixture::recomputed(submission("a")), "2", at(6)).await;
    let found = fixture.due_for_validation(&types, at(20), 10).await.unwrap();
    assert_eq!(found.iter().map(|it| it.job.id).collect::<Vec<_>>(), [recomputation.id]);
}
