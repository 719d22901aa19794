//! What a submission becomes when an equal job exists, and which result is current.

use super::*;

#[test]
fn admission_depends_on_the_current_job() {
    let valid = apply(
        claimed_with(|options| options.ttl = Some(Duration::from_millis(30))),
        &[(10, complete(lease_claim("r", 1), 1), Ok(Transition::Completed))],
    );
    let failed = apply(claimed(), &[(10, fail(lease_claim("r", 1), 1), Ok(Transition::Failed))]);
    let invalid = apply(valid.clone(), &[(11, Event::ResultInvalid, Ok(Transition::Expired))]);
    let cancelled = apply(job(), &[(10, ALL, Ok(Transition::Failed))]);
    let (current, beside) = (Admission::New { is_current: true }, Admission::New { is_current: false });
    for (name, current, now, any, again) in [
        ("none", None, 1, &current, &current),
        ("valid", Some(&valid), 39, &Admission::Cached, &beside),
        ("expired", Some(&valid), 40, &current, &current),
        ("invalid", Some(&invalid), 12, &current, &current),
        ("failed", Some(&failed), 609, &Admission::Cached, &beside),
        ("failed long ago", Some(&failed), 610, &current, &current),
        ("cancelled", Some(&cancelled), 11, &current, &current),
    ] {
        assert_eq!(&admit(current, CacheMode::Reuse, &options(), at(now)), any, "{name}");
        assert_eq!(&admit(current, CacheMode::Recompute, &options(), at(now)), again, "{name}");
    }
    for under_way in [job(), claimed(), apply(job(), &[(1, dispatch("r"), Ok(Transition::Dispatched))])] {
        assert!(matches!(admit(Some(&under_way), CacheMode::Reuse, &options(), at(2)), Admission::Joined(_)));
        assert_eq!(admit(Some(&under_way), CacheMode::Recompute, &options(), at(2)), beside);
    }
}

pub(super) fn joined(current: &Job, adjust: &JobOptions, now: u64) -> Job {
    match admit(Some(current), CacheMode::Reuse, adjust, at(now)) {
        Admission::Joined(job) => *job,
        Admission::New { .. } | Admission::Cached => panic!("the submission does not join"),
    }
}

#[test]
fn joining_keeps_the_more_urgent_options() {
    let current = job_with(|options| {
        options.run_at = at(50);
        options.priority = 1;
    });
    for (run_at, priority, ready_at, higher) in [(60, 0, 50, 1), (40, 2, 40, 2), (40, i32::MIN, 40, 1)] {
        let adjust = JobOptions { run_at: at(run_at), priority, max_attempts: 9, ..options() };
        let job = joined(&current, &adjust, 5);
        assert_eq!((job.ready_at, job.options.priority), (at(ready_at), higher));
        assert_eq!((job.callers, job.options.max_attempts, job.updated_at), (2, 1, at(5)));
        assert_eq!((job.id, job.created_at, &job.state), (current.id, current.created_at, &current.state));
    }
}

#[test]
fn joining_does_not_shorten_a_retry_backoff() {
    let paused = apply(
        claimed_with(|options| options.max_attempts = 2),
        &[(1, fail(lease_claim("r", 1), 1), Ok(Transition::Queued))],
    );
    assert_eq!(joined(&paused, &options(), 2).ready_at, at(11));
}

#[test]
fn a_joined_caller_can_cancel() {
    let twice = joined(&job(), &options(), 1);
    apply(twice, &[(2, ONE, Ok(Transition::CallerLeft)), (3, ONE, Ok(Transition::Failed))]);
}

/// A job that is not current and has completed at 10.
fn completed_not_current() -> Job {
    let mut job = apply(claimed(), &[(10, complete(lease_claim("r", 1), 1), Ok(Transition::Completed))]);
    job.is_current = false;
    job
}

#[test]
fn only_a_valid_result_of_a_later_submission_stays_current() {
    let valid = apply(
        claimed_with(|options| options.ttl = Some(Duration::from_millis(30))),
        &[(5, complete(lease_claim("r", 1), 2), Ok(Transition::Completed))],
    );
    let invalid = apply(valid.clone(), &[(6, Event::ResultInvalid, Ok(Transition::Expired))]);
    let failed = apply(claimed(), &[(5, fail(lease_claim("r", 1), 1), Ok(Transition::Failed))]);
    let cancelled = apply(job(), &[(5, ALL, Ok(Transition::Failed))]);
    let dispatched = apply(job(), &[(1, dispatch("r"), Ok(Transition::Dispatched))]);
    for (name, current, now, after) in [
        ("valid", &valid, 34, false),
        ("expired", &valid, 35, true),
        ("invalid", &invalid, 10, true),
        ("failed, and cached", &failed, 10, true),
        ("failed long ago", &failed, 605, true),
        ("cancelled", &cancelled, 10, true),
        ("pending", &job(), 10, true),
        ("dispatched", &dispatched, 10, true),
        ("executing", &claimed(), 10, true),
    ] {
        for (order, expected) in [(SubmissionOrder::Earlier, true), (SubmissionOrder::Later, after)] {
            let mut job = completed_not_current();
            job.update_current(Some((current, order)), at(now));
            assert_eq!(job.is_current, expected, "{name}, {order:?}");
        }
    }
}

#[test]
fn a_result_becomes_current_when_there_is_no_other() {
    let mut job = completed_not_current();
    job.update_current(None, at(10));
    assert!(job.is_current);
}

#[test]
fn the_result_of_the_later_submission_becomes_current_in_any_order() {
    let (mut first, mut second) = (completed_not_current(), completed_not_current());
    second.update_current(Some((&claimed(), SubmissionOrder::Earlier)), at(10));
    first.update_current(Some((&second, SubmissionOrder::Later)), at(11));
    assert_eq!((first.is_current, second.is_current), (false, true));

    let (mut first, mut second) = (completed_not_current(), completed_not_current());
    first.update_current(None, at(10));
    second.update_current(Some((&first, SubmissionOrder::Earlier)), at(11));
    assert!(second.is_current);
}
