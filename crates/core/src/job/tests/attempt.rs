//! Which attempt ends with which event, and how.

use super::*;

/// Applies the events; returns number, lease and outcome of each attempt that ended, and its beginning and end.
fn ended(mut job: Job, events: &[(u64, Event)]) -> Vec<(u32, u64, AttemptOutcome, u64, u64)> {
    let mut attempts = Vec::new();
    for (now, event) in events {
        let before = job.clone();
        job.handle(event, &POLICY, at(*now)).unwrap();
        attempts.extend(EndedAttempt::between(&before, &job));
    }
    let flat = |attempt: EndedAttempt| {
        assert_eq!(attempt.runner, runner("r"));
        let (began, ended) = (attempt.began_at.as_millis(), attempt.ended_at.as_millis());
        (attempt.number, attempt.lease.number(), attempt.outcome, began, ended)
    };
    attempts.into_iter().map(flat).collect()
}

#[test]
fn each_lease_ends_as_one_attempt_with_its_outcome() {
    let tries = |attempts| job_with(|options| options.max_attempts = attempts);
    let cancel = || Event::Cancel(CancelScope::AllCallers);
    for (job, events, expected) in [
        (
            job(),
            vec![
                (1, dispatch("r")),
                (2, Event::Start(lease_claim("r", 1))),
                (9, complete(lease_claim("r", 1), 1)),
            ],
            vec![(1, 1, AttemptOutcome::Completed, 1, 9)],
        ),
        (job(), vec![(1, claim("r")), (3, heartbeat(lease_claim("r", 1)))], vec![]),
        (
            tries(2),
            vec![
                (1, claim("r")),
                (2, fail(lease_claim("r", 1), 1)),
                (50, dispatch("r")),
                (51, fail(lease_claim("r", 2), 1)),
            ],
            vec![(1, 1, AttemptOutcome::Failed, 1, 2), (2, 2, AttemptOutcome::Failed, 50, 51)],
        ),
        (
            job(),
            vec![(1, claim("r")), (95, Event::Tick), (96, claim("r")), (97, cancel())],
            vec![(1, 1, AttemptOutcome::Lost, 1, 95), (1, 2, AttemptOutcome::Cancelled, 96, 97)],
        ),
        (
            job(),
            vec![
                (1, dispatch("r")),
                (2, dispatch_failed(1)),
                (3, dispatch("r")),
                (30, Event::Tick),
                (31, cancel()),
            ],
            vec![(1, 1, AttemptOutcome::NotStarted, 1, 2), (1, 2, AttemptOutcome::NotStarted, 3, 30)],
        ),
    ] {
        assert_eq!(ended(job, &events), expected, "{events:?}");
    }
}

#[test]
fn a_submission_leads_to_the_latest_attempt_or_to_the_next() {
    let lease = |job: &Job| job.submission_lease().map(LeaseId::number);
    assert_eq!(lease(&job()), Some(1));
    assert_eq!(lease(&claimed()), Some(1));
    let lost = apply(claimed(), &[(90, Event::Tick, Ok(Transition::Queued))]);
    assert_eq!(lease(&lost), Some(2));
    let cancelled = apply(job(), &[(1, Event::Cancel(CancelScope::AllCallers), Ok(Transition::Failed))]);
    assert_eq!(lease(&cancelled), None);
}
