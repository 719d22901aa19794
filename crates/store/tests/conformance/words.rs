//! Words of runners and callers about a job.

use std::time::Duration;

use pilotlight_core::job::{CancelScope, Event, LeaseId, Progress, Rejected, State, Status, Transition};
use pilotlight_core::time::Timestamp;
use pilotlight_store::EventOutcome;

use crate::stage::{
    Stage, at, error, fingerprint, heartbeat, lease_claim, lease_claim_of, new, nothing, output, runner, with,
};

pub(crate) async fn a_word_about_no_job_is_unknown(stage: Stage) {
    let said = stage.apply_event(new("a").id, Event::Tick, nothing(), at(1)).await.unwrap();
    assert!(matches!(said, EventOutcome::UnknownJob), "{said:?}");
}

pub(crate) async fn a_claimed_job_is_its_runners(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    let job = stage.claim(job.id, "r", at(6)).await;
    assert_eq!((job.attempts, job.lease, job.status(at(6))), (1, LeaseId::new(1), Status::Claimed));
    assert_eq!(
        job.assignment().map(|assignment| (assignment.runner.clone(), assignment.since)),
        Some((runner("r"), at(6)))
    );
    assert_eq!(stage.found(job.id).await.job, job);
    let refused = stage.refused(job.id, Event::Claim { runner: runner("s") }, at(7)).await;
    assert_eq!(refused, Rejected::NotAvailable);
}

pub(crate) async fn a_claim_before_its_time_is_refused(stage: Stage) {
    let job = stage.new_job(with(new("a"), |options| options.run_at = at(50)), at(5)).await;
    let refused = stage.refused(job.id, Event::Claim { runner: runner("r") }, at(49)).await;
    assert_eq!(refused, Rejected::NotAvailable);
    stage.claim(job.id, "r", at(50)).await;
}

pub(crate) async fn a_heartbeat_brings_progress(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    for (current, total, now) in [(1, 3, 6), (u64::MAX, u64::MAX, 7)] {
        let progress = Some(Progress { current, total });
        let event = Event::Heartbeat { lease_claim: lease_claim_of(&job), progress };
        let (transition, job) = stage.taken(job.id, event, nothing(), at(now)).await;
        assert_eq!((transition, job.status(at(now))), (Transition::Heartbeat, Status::InProgress));
        let State::Running(running) = &job.state else { panic!("{job:?}") };
        assert_eq!((running.progress, running.last_seen_at), (progress, at(now)));
        assert_eq!(stage.found(job.id).await.job, job);
    }
    let (_, after) = stage.taken(job.id, heartbeat(&job), nothing(), at(8)).await;
    let State::Running(running) = &after.state else { panic!("{after:?}") };
    assert!(running.progress.is_some(), "a heartbeat that says nothing of progress takes none away");
}

pub(crate) async fn a_result_ends_a_job(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    let ended = stage.complete(&job, "42", at(9)).await;
    assert_eq!(ended.status(at(9)), Status::Completed);
    let found = stage.found(job.id).await;
    assert_eq!(found.job, ended);
    assert_eq!(found.output.unwrap().result.as_deref(), Some("42"));
}

pub(crate) async fn the_same_result_again_changes_nothing(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    let ended = stage.complete(&job, "42", at(9)).await;
    for lease in [None, Some(job.lease.number())] {
        let event = Event::Complete { lease_claim: lease_claim("r", lease), result: fingerprint("42") };
        let (transition, job) = stage.taken(job.id, event, output("other bytes"), at(10)).await;
        assert_eq!((transition, job), (Transition::Unchanged, ended.clone()));
    }
    assert_eq!(stage.found(job.id).await.output.unwrap().result.as_deref(), Some("42"));
}

pub(crate) async fn another_result_after_the_end_is_refused(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    let ended = stage.complete(&job, "42", at(9)).await;
    let event = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("43") };
    assert_eq!(stage.refused_with(job.id, event, output("43"), at(10)).await, Rejected::EndedDifferently);
    let found = stage.found(job.id).await;
    assert_eq!((found.job, found.output.unwrap().result.as_deref()), (ended, Some("42")));
}

pub(crate) async fn a_strangers_word_is_refused(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    for event in [
        Event::Heartbeat { lease_claim: lease_claim("s", None), progress: None },
        Event::Complete { lease_claim: lease_claim("s", None), result: fingerprint("42") },
        Event::Fail { lease_claim: lease_claim("s", None), report: fingerprint("no") },
    ] {
        assert_eq!(stage.refused_with(job.id, event, output("42"), at(6)).await, Rejected::NotLeaseHolder);
    }
    let found = stage.found(job.id).await;
    assert_eq!((found.job, found.output.unwrap().result), (job, None));
}

pub(crate) async fn a_stale_lease_is_refused(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    stage.sweep(10, Timestamp::default(), at(200)).await.unwrap();
    let second = stage.claim(job.id, "r", at(201)).await;
    assert_eq!(second.lease, LeaseId::new(2));
    let late = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("42") };
    assert_eq!(stage.refused_with(job.id, late, output("42"), at(202)).await, Rejected::StaleLease);
    assert_eq!(stage.found(job.id).await.job, second);
}

pub(crate) async fn a_dispatched_job_begins_with_its_start(stage: Stage) {
    stage.new_job(new("a"), at(5)).await;
    let handed = stage.next("render", "r", at(6)).await.unwrap();
    assert_eq!((handed.job.attempts, handed.job.status(at(6))), (0, Status::Claimed));
    assert_eq!(handed.input, r#"{"name":"a"}"#);
    let start = Event::Start(lease_claim("r", Some(1)));
    let (transition, job) = stage.taken(handed.job.id, start.clone(), nothing(), at(7)).await;
    assert_eq!((transition, job.attempts), (Transition::Claimed, 1));
    let (transition, again) = stage.taken(handed.job.id, start, nothing(), at(8)).await;
    assert_eq!((transition, &again), (Transition::Unchanged, &job));
    assert_eq!(stage.found(job.id).await.job, job);
}

pub(crate) async fn a_start_after_its_time_is_refused(stage: Stage) {
    stage.new_job(new("a"), at(5)).await;
    let handed = stage.next("render", "r", at(6)).await.unwrap();
    let start = Event::Start(lease_claim("r", Some(1)));
    assert_eq!(stage.refused(handed.job.id, start, at(26)).await, Rejected::StaleLease);
}

pub(crate) async fn a_void_dispatch_goes_to_the_next(stage: Stage) {
    stage.new_job(new("a"), at(5)).await;
    let handed = stage.next("render", "r", at(6)).await.unwrap();
    assert!(stage.next("render", "s", at(7)).await.is_none());
    let void = Event::DispatchFailed { lease: handed.job.lease };
    let (transition, job) = stage.taken(handed.job.id, void.clone(), nothing(), at(8)).await;
    assert_eq!((transition, job.attempts), (Transition::Queued, 0));
    let second = stage.next("render", "s", at(9)).await.unwrap();
    assert_eq!((second.job.id, second.job.lease), (job.id, LeaseId::new(2)));
    assert_eq!(stage.refused(job.id, void, at(10)).await, Rejected::StaleLease);
    let late = Event::Start(lease_claim("r", Some(1)));
    assert_eq!(stage.refused(job.id, late, at(10)).await, Rejected::StaleLease);
}

pub(crate) async fn a_failed_try_is_repeated_after_a_pause(stage: Stage) {
    let job = stage.new_job(with(new("a"), |options| options.max_attempts = 2), at(5)).await;
    let job = stage.claim(job.id, "r", at(6)).await;
    let (transition, job) = stage.fail(&job, "no", at(7)).await;
    assert_eq!((transition, job.ready_at, job.status(at(7))), (Transition::Queued, at(17), Status::Pending));
    let found = stage.found(job.id).await;
    assert_eq!((&found.job, found.output.unwrap().error), (&job, None));
    assert!(stage.next("render", "r", at(16)).await.is_none());
    let job = stage.claim(job.id, "r", at(17)).await;
    let (transition, job) = stage.fail(&job, "no", at(18)).await;
    assert_eq!((transition, job.attempts), (Transition::Failed, 2));
    assert_eq!(stage.found(job.id).await.output.unwrap().error.as_deref(), Some("no"));
}

pub(crate) async fn a_failure_told_twice_changes_nothing(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    let (_, failed) = stage.fail(&job, "no", at(6)).await;
    let event = Event::Fail { lease_claim: lease_claim_of(&job), report: fingerprint("no") };
    let (transition, again) = stage.taken(job.id, event, error("no"), at(7)).await;
    assert_eq!((transition, again), (Transition::Unchanged, failed));
    let other = Event::Fail { lease_claim: lease_claim_of(&job), report: fingerprint("other") };
    assert_eq!(stage.refused(job.id, other, at(8)).await, Rejected::EndedDifferently);
}

pub(crate) async fn the_last_callers_cancel_counts(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    stage.known(new("a"), at(6)).await;
    let (transition, job) = stage.cancel(job.id, CancelScope::OneCaller, at(7)).await;
    assert_eq!((transition, job.callers), (Transition::CallerLeft, 1));
    assert_eq!(stage.found(job.id).await.job, job);
    let (transition, job) = stage.cancel(job.id, CancelScope::OneCaller, at(8)).await;
    assert_eq!((transition, job.status(at(8))), (Transition::Failed, Status::Failed));
    assert_eq!(
        stage.refused(job.id, Event::Cancel(CancelScope::OneCaller), at(9)).await,
        Rejected::AlreadyEnded
    );
    assert!(stage.next("render", "r", at(9)).await.is_none());
}

pub(crate) async fn a_runner_learns_of_a_cancel_by_its_heartbeat(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    stage.cancel(job.id, CancelScope::AllCallers, at(6)).await;
    assert_eq!(stage.refused(job.id, heartbeat(&job), at(7)).await, Rejected::Cancelled);
    let late = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("42") };
    assert_eq!(stage.refused(job.id, late, at(8)).await, Rejected::Cancelled);
}

pub(crate) async fn what_is_not_completed_cannot_be_invalid(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    assert_eq!(stage.refused(job.id, Event::ResultInvalid, at(6)).await, Rejected::EndedDifferently);
}

pub(crate) async fn a_result_may_come_without_a_start(stage: Stage) {
    stage.new_job(new("a"), at(5)).await;
    let handed = stage.next("render", "r", at(6)).await.unwrap();
    let job = stage.complete(&handed.job, "42", at(7)).await;
    assert_eq!((job.attempts, job.status(at(7))), (1, Status::Completed));
}

pub(crate) async fn a_result_ends_to_be_valid_after_its_time(stage: Stage) {
    let ttl = with(new("a"), |options| options.ttl = Some(Duration::from_millis(30)));
    let job = stage.ended_of(ttl, "42", at(5)).await;
    let job = stage.found(job.id).await.job;
    assert_eq!((job.status(at(34)), job.status(at(35))), (Status::Completed, Status::Expired));
}
