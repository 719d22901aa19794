//! Events of runners and callers: which are applied, which are rejected, and what they change. Times are milliseconds;
//! the timeouts are in `fixture::POLICY`.

use std::time::Duration;

use pilotlight_core::job::{CancelScope, Event, LeaseId, Progress, Rejected, State, Status, Transition};
use pilotlight_core::time::Timestamp;
use pilotlight_store::EventOutcome;

use crate::fixture::{
    StoreFixture, at, error_output, fingerprint, heartbeat, lease_claim, lease_claim_of, no_output,
    result_output, runner, submission, with_options,
};

pub(crate) async fn an_event_for_an_unknown_job_is_reported_as_such(fixture: StoreFixture) {
    let outcome = fixture.apply_event(submission("a").id, Event::Tick, no_output(), at(1)).await.unwrap();
    assert!(matches!(outcome, EventOutcome::UnknownJob), "{outcome:?}");
}

pub(crate) async fn a_claimed_job_is_assigned_to_its_runner(fixture: StoreFixture) {
    let job = fixture.submit_new(submission("a"), at(5)).await;
    let job = fixture.claim(job.id, "r", at(6)).await;
    assert_eq!((job.attempts, job.lease, job.status(at(6))), (1, LeaseId::new(1), Status::Claimed));
    assert_eq!(
        job.assignment().map(|assignment| (assignment.runner.clone(), assignment.since)),
        Some((runner("r"), at(6)))
    );
    assert_eq!(fixture.record(job.id).await.job, job);
    let rejected = fixture.apply_rejected(job.id, Event::Claim { runner: runner("s") }, at(7)).await;
    assert_eq!(rejected, Rejected::NotAvailable);
}

pub(crate) async fn a_claim_before_the_run_at_of_its_job_is_rejected(fixture: StoreFixture) {
    let job =
        fixture.submit_new(with_options(submission("a"), |options| options.run_at = at(50)), at(5)).await;
    let rejected = fixture.apply_rejected(job.id, Event::Claim { runner: runner("r") }, at(49)).await;
    assert_eq!(rejected, Rejected::NotAvailable);
    fixture.claim(job.id, "r", at(50)).await;
}

pub(crate) async fn a_heartbeat_updates_the_progress(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    for (current, total, now) in [(1, 3, 6), (u64::MAX, u64::MAX, 7)] {
        let progress = Some(Progress { current, total });
        let event = Event::Heartbeat { lease_claim: lease_claim_of(&job), progress };
        let (transition, job) = fixture.apply_ok(job.id, event, no_output(), at(now)).await;
        assert_eq!((transition, job.status(at(now))), (Transition::Heartbeat, Status::InProgress));
        let State::Running(running) = &job.state else { panic!("{job:?}") };
        assert_eq!((running.progress, running.last_seen_at), (progress, at(now)));
        assert_eq!(fixture.record(job.id).await.job, job);
    }
    let (_, after) = fixture.apply_ok(job.id, heartbeat(&job), no_output(), at(8)).await;
    let State::Running(running) = &after.state else { panic!("{after:?}") };
    assert!(running.progress.is_some(), "a heartbeat without progress leaves the progress unchanged");
}

pub(crate) async fn a_result_ends_a_job(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    let ended = fixture.complete(&job, "42", at(9)).await;
    assert_eq!(ended.status(at(9)), Status::Completed);
    let found = fixture.record(job.id).await;
    assert_eq!(found.job, ended);
    assert_eq!(found.output.unwrap().result.as_deref(), Some("42"));
}

pub(crate) async fn the_same_result_again_changes_nothing(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    let ended = fixture.complete(&job, "42", at(9)).await;
    // Results are compared by their fingerprints, so the other bytes are not noticed and not stored.
    for lease in [None, Some(job.lease.number())] {
        let event = Event::Complete { lease_claim: lease_claim("r", lease), result: fingerprint("42") };
        let (transition, job) = fixture.apply_ok(job.id, event, result_output("other bytes"), at(10)).await;
        assert_eq!((transition, job), (Transition::Unchanged, ended.clone()));
    }
    assert_eq!(fixture.record(job.id).await.output.unwrap().result.as_deref(), Some("42"));
}

pub(crate) async fn a_different_result_after_completion_is_rejected(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    let ended = fixture.complete(&job, "42", at(9)).await;
    let event = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("43") };
    assert_eq!(
        fixture.apply_rejected_with(job.id, event, result_output("43"), at(10)).await,
        Rejected::EndedDifferently
    );
    let found = fixture.record(job.id).await;
    assert_eq!((found.job, found.output.unwrap().result.as_deref()), (ended, Some("42")));
}

pub(crate) async fn an_event_of_another_runner_is_rejected(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    for event in [
        Event::Heartbeat { lease_claim: lease_claim("s", None), progress: None },
        Event::Complete { lease_claim: lease_claim("s", None), result: fingerprint("42") },
        Event::Fail { lease_claim: lease_claim("s", None), report: fingerprint("no") },
    ] {
        assert_eq!(
            fixture.apply_rejected_with(job.id, event, result_output("42"), at(6)).await,
            Rejected::NotLeaseHolder
        );
    }
    let found = fixture.record(job.id).await;
    assert_eq!((found.job, found.output.unwrap().result), (job, None));
}

pub(crate) async fn a_stale_lease_is_rejected(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    // The heartbeat timeout has passed, so the sweep queues the job again.
    fixture.sweep(10, Timestamp::default(), at(200)).await.unwrap();
    let second = fixture.claim(job.id, "r", at(201)).await;
    assert_eq!(second.lease, LeaseId::new(2));
    let late = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("42") };
    assert_eq!(
        fixture.apply_rejected_with(job.id, late, result_output("42"), at(202)).await,
        Rejected::StaleLease
    );
    assert_eq!(fixture.record(job.id).await.job, second);
}

pub(crate) async fn the_attempt_of_a_dispatched_job_begins_with_its_start(fixture: StoreFixture) {
    fixture.submit_new(submission("a"), at(5)).await;
    let leased = fixture.dispatch_next("render", "r", at(6)).await.unwrap();
    assert_eq!((leased.job.attempts, leased.job.status(at(6))), (0, Status::Claimed));
    assert_eq!(leased.input, r#"{"name":"a"}"#);
    let start = Event::Start(lease_claim("r", Some(1)));
    let (transition, job) = fixture.apply_ok(leased.job.id, start.clone(), no_output(), at(7)).await;
    assert_eq!((transition, job.attempts), (Transition::Claimed, 1));
    let (transition, repeated) = fixture.apply_ok(leased.job.id, start, no_output(), at(8)).await;
    assert_eq!((transition, &repeated), (Transition::Unchanged, &job));
    assert_eq!(fixture.record(job.id).await.job, job);
}

pub(crate) async fn a_start_after_the_start_timeout_is_rejected(fixture: StoreFixture) {
    fixture.submit_new(submission("a"), at(5)).await;
    let leased = fixture.dispatch_next("render", "r", at(6)).await.unwrap();
    let start = Event::Start(lease_claim("r", Some(1)));
    assert_eq!(fixture.apply_rejected(leased.job.id, start, at(26)).await, Rejected::StaleLease);
}

pub(crate) async fn a_failed_dispatch_requeues_the_job(fixture: StoreFixture) {
    fixture.submit_new(submission("a"), at(5)).await;
    let leased = fixture.dispatch_next("render", "r", at(6)).await.unwrap();
    assert!(fixture.dispatch_next("render", "s", at(7)).await.is_none());
    let failed = Event::DispatchFailed { lease: leased.job.lease };
    let (transition, job) = fixture.apply_ok(leased.job.id, failed.clone(), no_output(), at(8)).await;
    assert_eq!((transition, job.attempts), (Transition::Queued, 0));
    let second = fixture.dispatch_next("render", "s", at(9)).await.unwrap();
    assert_eq!((second.job.id, second.job.lease), (job.id, LeaseId::new(2)));
    assert_eq!(fixture.apply_rejected(job.id, failed, at(10)).await, Rejected::StaleLease);
    let late = Event::Start(lease_claim("r", Some(1)));
    assert_eq!(fixture.apply_rejected(job.id, late, at(10)).await, Rejected::StaleLease);
}

pub(crate) async fn a_failed_attempt_is_retried_after_the_backoff(fixture: StoreFixture) {
    let job =
        fixture.submit_new(with_options(submission("a"), |options| options.max_attempts = 2), at(5)).await;
    let job = fixture.claim(job.id, "r", at(6)).await;
    let (transition, job) = fixture.fail(&job, "no", at(7)).await;
    assert_eq!((transition, job.ready_at, job.status(at(7))), (Transition::Queued, at(17), Status::Pending));
    let found = fixture.record(job.id).await;
    assert_eq!((&found.job, found.output.unwrap().error), (&job, None));
    assert!(fixture.dispatch_next("render", "r", at(16)).await.is_none());
    let job = fixture.claim(job.id, "r", at(17)).await;
    let (transition, job) = fixture.fail(&job, "no", at(18)).await;
    assert_eq!((transition, job.attempts), (Transition::Failed, 2));
    assert_eq!(fixture.record(job.id).await.output.unwrap().error.as_deref(), Some("no"));
}

pub(crate) async fn a_repeated_failure_report_changes_nothing(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    let (_, failed) = fixture.fail(&job, "no", at(6)).await;
    let event = Event::Fail { lease_claim: lease_claim_of(&job), report: fingerprint("no") };
    let (transition, repeated) = fixture.apply_ok(job.id, event, error_output("no"), at(7)).await;
    assert_eq!((transition, repeated), (Transition::Unchanged, failed));
    let other = Event::Fail { lease_claim: lease_claim_of(&job), report: fingerprint("other") };
    assert_eq!(fixture.apply_rejected(job.id, other, at(8)).await, Rejected::EndedDifferently);
}

pub(crate) async fn only_the_last_callers_cancel_cancels_the_job(fixture: StoreFixture) {
    let job = fixture.submit_new(submission("a"), at(5)).await;
    fixture.submit_existing(submission("a"), at(6)).await;
    let (transition, job) = fixture.cancel(job.id, CancelScope::OneCaller, at(7)).await;
    assert_eq!((transition, job.callers), (Transition::CallerLeft, 1));
    assert_eq!(fixture.record(job.id).await.job, job);
    let (transition, job) = fixture.cancel(job.id, CancelScope::OneCaller, at(8)).await;
    assert_eq!((transition, job.status(at(8))), (Transition::Failed, Status::Failed));
    assert_eq!(
        fixture.apply_rejected(job.id, Event::Cancel(CancelScope::OneCaller), at(9)).await,
        Rejected::AlreadyEnded
    );
    assert!(fixture.dispatch_next("render", "r", at(9)).await.is_none());
}

pub(crate) async fn a_heartbeat_of_a_cancelled_job_is_rejected(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    fixture.cancel(job.id, CancelScope::AllCallers, at(6)).await;
    assert_eq!(fixture.apply_rejected(job.id, heartbeat(&job), at(7)).await, Rejected::Cancelled);
    let late = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("42") };
    assert_eq!(fixture.apply_rejected(job.id, late, at(8)).await, Rejected::Cancelled);
}

pub(crate) async fn only_the_result_of_a_completed_job_can_become_invalid(fixture: StoreFixture) {
    let job = fixture.submit_new(submission("a"), at(5)).await;
    assert_eq!(fixture.apply_rejected(job.id, Event::ResultInvalid, at(6)).await, Rejected::EndedDifferently);
}

pub(crate) async fn a_result_is_accepted_although_no_start_was_reported(fixture: StoreFixture) {
    fixture.submit_new(submission("a"), at(5)).await;
    let leased = fixture.dispatch_next("render", "r", at(6)).await.unwrap();
    let job = fixture.complete(&leased.job, "42", at(7)).await;
    assert_eq!((job.attempts, job.status(at(7))), (1, Status::Completed));
}

pub(crate) async fn a_result_expires_after_its_ttl(fixture: StoreFixture) {
    let ttl = with_options(submission("a"), |options| options.ttl = Some(Duration::from_millis(30)));
    let job = fixture.complete_submission(ttl, "42", at(5)).await;
    let job = fixture.record(job.id).await.job;
    assert_eq!((job.status(at(34)), job.status(at(35))), (Status::Completed, Status::Expired));
}
