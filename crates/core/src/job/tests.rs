//! Tables of a job's events: the time, the event, and the expected transition. After each table the test checks the
//! job's state.

use std::time::Duration;

use super::*;
use crate::cache_key::CacheKey;
use crate::ids::{JobType, RunnerId};
use crate::time::Timestamp;

mod admit;
use admit::joined;

mod attempt;

/// Start timeout 20 ms, heartbeat timeout 90 ms; a failure is cached for 600 ms; a lost job is queued again twice.
const POLICY: JobPolicy = JobPolicy {
    heartbeat_timeout: Duration::from_millis(90),
    start_timeout: Duration::from_millis(20),
    lost_retries: 2,
    failed_ttl: Duration::from_millis(600),
};

type Outcome = Result<Transition, Rejected>;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn runner(name: &str) -> RunnerId {
    RunnerId::parse(name).unwrap()
}

fn options() -> JobOptions {
    JobOptions {
        priority: 0,
        run_at: at(0),
        max_attempts: 1,
        retry_backoff: Duration::from_millis(10),
        ttl: None,
    }
}

/// A job that was submitted at 0.
fn job() -> Job {
    job_with(|_| {})
}

fn job_with(adjust: impl FnOnce(&mut JobOptions)) -> Job {
    let mut options = options();
    adjust(&mut options);
    let submission = Submission {
        id: JobId::new(at(0), [0; 10]),
        job_type: JobType::parse("render").unwrap(),
        key: CacheKey::from_bytes([1; 32]),
        options,
        is_current: true,
    };
    Job::new(submission, at(0))
}

/// A job that the runner `r` claimed at 0.
fn claimed() -> Job {
    claimed_with(|_| {})
}

fn claimed_with(adjust: impl FnOnce(&mut JobOptions)) -> Job {
    apply(job_with(adjust), &[(0, claim("r"), Ok(Transition::Claimed))])
}

/// Applies each event at its time. A rejected event, and one that changes nothing, must leave the job unchanged.
fn apply(mut job: Job, steps: &[(u64, Event, Outcome)]) -> Job {
    for (step, (now, event, expected)) in steps.iter().enumerate() {
        let before = job.clone();
        assert_eq!(job.handle(event, &POLICY, at(*now)), *expected, "step {step}, {event:?}");
        if matches!(expected, Ok(Transition::Unchanged) | Err(_)) {
            assert_eq!(job, before, "step {step}, {event:?}");
        } else {
            assert_eq!(job.updated_at, at(*now), "step {step}, {event:?}");
        }
        assert!(job.lease >= before.lease, "a lease only grows");
    }
    job
}

fn lease_claim(name: &str, lease: u64) -> LeaseClaim {
    LeaseClaim { runner: runner(name), lease: Some(LeaseId::new(lease)) }
}

/// The claim of a client that does not know leases.
fn claim_without_lease(name: &str) -> LeaseClaim {
    LeaseClaim { runner: runner(name), lease: None }
}

fn claim(name: &str) -> Event {
    Event::Claim { runner: runner(name) }
}

fn dispatch(name: &str) -> Event {
    Event::Dispatch { runner: runner(name) }
}

fn dispatch_failed(lease: u64) -> Event {
    Event::DispatchFailed { lease: LeaseId::new(lease) }
}

fn heartbeat(lease_claim: LeaseClaim) -> Event {
    Event::Heartbeat { lease_claim, progress: None }
}

fn complete(lease_claim: LeaseClaim, result: u8) -> Event {
    Event::Complete { lease_claim, result: Fingerprint([result; 32]) }
}

fn fail(lease_claim: LeaseClaim, report: u8) -> Event {
    Event::Fail { lease_claim, report: Fingerprint([report; 32]) }
}

const ONE: Event = Event::Cancel(CancelScope::OneCaller);
const ALL: Event = Event::Cancel(CancelScope::AllCallers);

#[test]
fn a_claimed_job_is_executed_and_completed() {
    let job = apply(
        job(),
        &[
            (5, claim("r"), Ok(Transition::Claimed)),
            (6, heartbeat(claim_without_lease("r")), Ok(Transition::Heartbeat)),
            (7, complete(claim_without_lease("r"), 1), Ok(Transition::Completed)),
        ],
    );
    assert_eq!((job.attempts, job.lost_attempts, job.lease), (1, 0, LeaseId::new(1)));
    assert_eq!(job.status(at(8)), Status::Completed);
    assert_eq!(job.assignment().map(|assignment| assignment.since), Some(at(5)));
}

#[test]
fn status_follows_the_state() {
    let mut job = job();
    for (event, status) in [
        (Event::Tick, Status::Pending),
        (dispatch("r"), Status::Claimed),
        (Event::Start(lease_claim("r", 1)), Status::Claimed),
        (heartbeat(lease_claim("r", 1)), Status::InProgress),
        (fail(lease_claim("r", 1), 1), Status::Failed),
    ] {
        job.handle(&event, &POLICY, at(1)).unwrap();
        assert_eq!(job.status(at(1)), status, "{event:?}");
        assert_eq!(job.has_ended(), status.has_ended());
    }
}

#[test]
fn only_one_runner_gets_a_job() {
    apply(
        claimed(),
        &[
            (1, claim("s"), Err(Rejected::NotAvailable)),
            (1, claim("r"), Err(Rejected::NotAvailable)),
            (1, dispatch("s"), Err(Rejected::NotAvailable)),
            (2, complete(claim_without_lease("r"), 1), Ok(Transition::Completed)),
            (3, claim("s"), Err(Rejected::NotAvailable)),
            (3, dispatch("s"), Err(Rejected::NotAvailable)),
        ],
    );
}

#[test]
fn a_job_is_not_available_before_its_run_time() {
    apply(
        job_with(|options| options.run_at = at(50)),
        &[
            (49, claim("r"), Err(Rejected::NotAvailable)),
            (49, dispatch("r"), Err(Rejected::NotAvailable)),
            (50, dispatch("r"), Ok(Transition::Dispatched)),
        ],
    );
}

#[test]
fn start_turns_a_dispatch_into_an_attempt() {
    let dispatched = apply(job(), &[(5, dispatch("r"), Ok(Transition::Dispatched))]);
    assert_eq!((dispatched.attempts, dispatched.lease), (0, LeaseId::new(1)));
    assert_eq!(dispatched.due_at(&POLICY), Some(at(25)));
    let started = apply(
        dispatched,
        &[
            (6, Event::Start(lease_claim("s", 1)), Err(Rejected::StaleLease)),
            (6, Event::Start(lease_claim("r", 2)), Err(Rejected::StaleLease)),
            (24, Event::Start(lease_claim("r", 1)), Ok(Transition::Claimed)),
            (24, Event::Start(lease_claim("r", 1)), Ok(Transition::Unchanged)),
            (25, Event::Tick, Ok(Transition::Unchanged)),
        ],
    );
    assert_eq!((started.attempts, started.due_at(&POLICY)), (1, Some(at(114))));
}

#[test]
fn a_start_after_the_start_timeout_is_rejected() {
    apply(
        job(),
        &[
            (5, dispatch("r"), Ok(Transition::Dispatched)),
            (25, Event::Start(lease_claim("r", 1)), Err(Rejected::StaleLease)),
            (25, heartbeat(lease_claim("r", 1)), Err(Rejected::StaleLease)),
            (25, complete(lease_claim("r", 1), 1), Err(Rejected::StaleLease)),
            (25, Event::Tick, Ok(Transition::Queued)),
            (26, Event::Start(lease_claim("r", 1)), Err(Rejected::StaleLease)),
            (27, dispatch("s"), Ok(Transition::Dispatched)),
            (28, Event::Start(lease_claim("r", 1)), Err(Rejected::StaleLease)),
            (28, Event::Start(lease_claim("s", 2)), Ok(Transition::Claimed)),
            (29, Event::Start(lease_claim("r", 1)), Err(Rejected::StaleLease)),
        ],
    );
}

#[test]
fn a_failed_dispatch_uses_no_attempt() {
    let job = apply(
        job(),
        &[
            (5, dispatch("r"), Ok(Transition::Dispatched)),
            (6, dispatch_failed(2), Err(Rejected::StaleLease)),
            (6, dispatch_failed(1), Ok(Transition::Queued)),
            (6, dispatch_failed(1), Err(Rejected::StaleLease)),
            (7, dispatch("r"), Ok(Transition::Dispatched)),
            (27, Event::Tick, Ok(Transition::Queued)),
            (28, dispatch("r"), Ok(Transition::Dispatched)),
        ],
    );
    assert_eq!((job.attempts, job.lost_attempts, job.lease), (0, 0, LeaseId::new(3)));
}

#[test]
fn a_started_job_ignores_a_failed_dispatch() {
    apply(claimed(), &[(1, dispatch_failed(1), Err(Rejected::StaleLease))]);
}

#[test]
fn any_event_from_the_runner_starts_a_dispatched_job() {
    for (event, transition) in [
        (heartbeat(lease_claim("r", 1)), Transition::Heartbeat),
        (complete(lease_claim("r", 1), 1), Transition::Completed),
        (fail(lease_claim("r", 1), 1), Transition::Failed),
    ] {
        let steps = [(5, dispatch("r"), Ok(Transition::Dispatched)), (6, event, Ok(transition))];
        assert_eq!(apply(job(), &steps).attempts, 1, "{transition:?}");
    }
}

#[test]
fn events_from_another_runner_are_rejected() {
    apply(
        claimed(),
        &[
            (1, heartbeat(claim_without_lease("s")), Err(Rejected::NotLeaseHolder)),
            (1, complete(claim_without_lease("s"), 1), Err(Rejected::NotLeaseHolder)),
            (1, fail(claim_without_lease("s"), 1), Err(Rejected::NotLeaseHolder)),
            (1, Event::Start(claim_without_lease("s")), Err(Rejected::NotLeaseHolder)),
            // A runner that guesses the lease still does not hold it.
            (1, complete(lease_claim("s", 1), 1), Err(Rejected::StaleLease)),
        ],
    );
    apply(
        job(),
        &[
            (1, heartbeat(claim_without_lease("r")), Err(Rejected::NotLeaseHolder)),
            (1, heartbeat(lease_claim("r", 0)), Err(Rejected::StaleLease)),
        ],
    );
}

#[test]
fn a_missed_heartbeat_requeues_the_job_without_using_an_attempt() {
    let job = apply(
        claimed(),
        &[
            (80, heartbeat(lease_claim("r", 1)), Ok(Transition::Heartbeat)),
            (169, Event::Tick, Ok(Transition::Unchanged)),
            (170, Event::Tick, Ok(Transition::Queued)),
            (170, Event::Tick, Ok(Transition::Unchanged)),
        ],
    );
    assert_eq!((job.attempts, job.lost_attempts, job.ready_at), (0, 1, at(170)));
    assert_eq!(job.assignment(), None);
}

#[test]
fn late_events_of_a_lost_runner_are_rejected() {
    apply(
        claimed(),
        &[
            (90, Event::Tick, Ok(Transition::Queued)),
            (91, heartbeat(lease_claim("r", 1)), Err(Rejected::StaleLease)),
            (91, complete(lease_claim("r", 1), 1), Err(Rejected::StaleLease)),
            (91, complete(claim_without_lease("r"), 1), Err(Rejected::NotLeaseHolder)),
            (92, claim("s"), Ok(Transition::Claimed)),
            (93, complete(lease_claim("r", 1), 1), Err(Rejected::StaleLease)),
            (93, complete(claim_without_lease("r"), 1), Err(Rejected::NotLeaseHolder)),
            (93, fail(lease_claim("r", 1), 1), Err(Rejected::StaleLease)),
            (94, complete(lease_claim("s", 2), 2), Ok(Transition::Completed)),
            (95, complete(lease_claim("r", 1), 2), Err(Rejected::StaleLease)),
            (95, complete(claim_without_lease("r"), 2), Err(Rejected::NotLeaseHolder)),
        ],
    );
}

#[test]
fn an_old_attempt_of_the_same_runner_is_fenced_by_its_lease() {
    apply(
        claimed(),
        &[
            (90, Event::Tick, Ok(Transition::Queued)),
            (91, claim("r"), Ok(Transition::Claimed)),
            (92, complete(lease_claim("r", 1), 1), Err(Rejected::StaleLease)),
            (93, complete(lease_claim("r", 2), 2), Ok(Transition::Completed)),
        ],
    );
}

#[test]
fn a_late_heartbeat_before_the_tick_keeps_the_job_running() {
    apply(
        claimed(),
        &[
            (500, heartbeat(lease_claim("r", 1)), Ok(Transition::Heartbeat)),
            (501, Event::Tick, Ok(Transition::Unchanged)),
        ],
    );
}

#[test]
fn a_job_lost_too_often_fails_and_is_not_cached() {
    let job = apply(
        claimed(),
        &[
            (90, Event::Tick, Ok(Transition::Queued)),
            (90, claim("r"), Ok(Transition::Claimed)),
            (180, Event::Tick, Ok(Transition::Queued)),
            (180, claim("r"), Ok(Transition::Claimed)),
            (270, Event::Tick, Ok(Transition::Failed)),
            (271, Event::Tick, Ok(Transition::Unchanged)),
            (271, complete(lease_claim("r", 3), 1), Err(Rejected::EndedDifferently)),
            (271, heartbeat(lease_claim("r", 3)), Err(Rejected::EndedDifferently)),
        ],
    );
    assert_eq!(job.lost_attempts, 3);
    assert!(matches!(job.state, State::Failed { reason: Failure::Lost, until: None, report: None, .. }));
    assert_eq!(admit(Some(&job), CacheMode::Reuse, &options(), at(272)), Admission::New { is_current: true });
}

#[test]
fn lost_and_failed_attempts_are_counted_separately() {
    let job = apply(
        claimed_with(|options| options.max_attempts = 2),
        &[
            (90, Event::Tick, Ok(Transition::Queued)),
            (90, claim("r"), Ok(Transition::Claimed)),
            (91, fail(lease_claim("r", 2), 1), Ok(Transition::Queued)),
            (101, claim("r"), Ok(Transition::Claimed)),
            (191, Event::Tick, Ok(Transition::Queued)),
            (191, claim("r"), Ok(Transition::Claimed)),
            (192, fail(lease_claim("r", 4), 1), Ok(Transition::Failed)),
        ],
    );
    assert_eq!((job.attempts, job.lost_attempts), (2, 2));
}

#[test]
fn each_failed_attempt_doubles_the_backoff() {
    let job = apply(
        claimed_with(|options| options.max_attempts = 3),
        &[
            (1, fail(lease_claim("r", 1), 1), Ok(Transition::Queued)),
            (10, claim("r"), Err(Rejected::NotAvailable)),
            (11, claim("r"), Ok(Transition::Claimed)),
            (12, fail(lease_claim("r", 2), 1), Ok(Transition::Queued)),
            (31, claim("r"), Err(Rejected::NotAvailable)),
            (32, claim("r"), Ok(Transition::Claimed)),
            (33, fail(lease_claim("r", 3), 1), Ok(Transition::Failed)),
        ],
    );
    assert!(
        matches!(job.state, State::Failed { reason: Failure::Error, until: Some(until), .. } if until == at(633))
    );
}

#[test]
fn repeated_events_change_nothing() {
    apply(
        claimed(),
        &[
            (1, complete(lease_claim("r", 1), 1), Ok(Transition::Completed)),
            (2, complete(lease_claim("r", 1), 1), Ok(Transition::Unchanged)),
            (2, complete(claim_without_lease("r"), 1), Ok(Transition::Unchanged)),
            (2, complete(lease_claim("r", 1), 2), Err(Rejected::EndedDifferently)),
            (2, complete(claim_without_lease("s"), 1), Err(Rejected::NotLeaseHolder)),
            (2, fail(lease_claim("r", 1), 1), Err(Rejected::EndedDifferently)),
            (2, heartbeat(lease_claim("r", 1)), Err(Rejected::EndedDifferently)),
            (2, Event::Start(lease_claim("r", 1)), Err(Rejected::EndedDifferently)),
        ],
    );
    apply(
        claimed(),
        &[
            (1, fail(lease_claim("r", 1), 1), Ok(Transition::Failed)),
            (2, fail(lease_claim("r", 1), 1), Ok(Transition::Unchanged)),
            (2, fail(lease_claim("r", 1), 2), Err(Rejected::EndedDifferently)),
            (2, fail(lease_claim("r", 2), 1), Err(Rejected::StaleLease)),
            (2, complete(lease_claim("r", 1), 1), Err(Rejected::EndedDifferently)),
        ],
    );
}

#[test]
fn the_last_callers_cancel_ends_the_job() {
    let mut job = job();
    job.callers = 3;
    let job = apply(
        job,
        &[
            (1, ONE, Ok(Transition::CallerLeft)),
            (2, claim("r"), Ok(Transition::Claimed)),
            (3, ONE, Ok(Transition::CallerLeft)),
            (4, ONE, Ok(Transition::Failed)),
            (5, ONE, Err(Rejected::AlreadyEnded)),
            (5, ALL, Err(Rejected::AlreadyEnded)),
            (6, heartbeat(lease_claim("r", 1)), Err(Rejected::Cancelled)),
            (6, heartbeat(claim_without_lease("r")), Err(Rejected::Cancelled)),
            (6, complete(lease_claim("r", 1), 1), Err(Rejected::Cancelled)),
            (6, fail(lease_claim("r", 1), 1), Err(Rejected::Cancelled)),
            (6, heartbeat(claim_without_lease("s")), Err(Rejected::NotLeaseHolder)),
            (7, Event::Tick, Ok(Transition::Unchanged)),
        ],
    );
    assert!(matches!(job.state, State::Failed { reason: Failure::Cancelled, until: None, .. }));
    assert_eq!(admit(Some(&job), CacheMode::Reuse, &options(), at(8)), Admission::New { is_current: true });
}

#[test]
fn an_operators_cancel_applies_to_all_callers() {
    let mut job = job();
    job.callers = 3;
    apply(job, &[(1, ALL, Ok(Transition::Failed))]);
}

#[test]
fn a_dispatched_job_can_be_cancelled() {
    apply(
        job(),
        &[
            (1, dispatch("r"), Ok(Transition::Dispatched)),
            (2, ALL, Ok(Transition::Failed)),
            (3, Event::Start(lease_claim("r", 1)), Err(Rejected::Cancelled)),
            (3, dispatch_failed(1), Err(Rejected::StaleLease)),
        ],
    );
}

#[test]
fn an_ended_job_cannot_be_cancelled() {
    apply(
        claimed(),
        &[
            (1, complete(lease_claim("r", 1), 1), Ok(Transition::Completed)),
            (2, ALL, Err(Rejected::AlreadyEnded)),
        ],
    );
}

#[test]
fn a_result_expires_after_its_ttl() {
    let ended = apply(
        claimed_with(|options| options.ttl = Some(Duration::from_millis(30))),
        &[
            (10, complete(lease_claim("r", 1), 1), Ok(Transition::Completed)),
            (39, Event::Tick, Ok(Transition::Unchanged)),
        ],
    );
    assert_eq!(ended.due_at(&POLICY), Some(at(40)));
    assert_eq!((ended.status(at(39)), ended.status(at(40))), (Status::Completed, Status::Expired));
    let marked = apply(
        ended,
        &[
            (40, Event::Tick, Ok(Transition::Expired)),
            (41, Event::Tick, Ok(Transition::Unchanged)),
            (41, Event::ResultInvalid, Ok(Transition::Unchanged)),
            // The response to the first report may have been lost, so the runner repeats it.
            (42, complete(lease_claim("r", 1), 1), Ok(Transition::Unchanged)),
        ],
    );
    assert_eq!((marked.status(at(0)), marked.due_at(&POLICY)), (Status::Expired, None));
}

#[test]
fn a_result_without_ttl_never_expires() {
    let job = apply(claimed(), &[(1, complete(lease_claim("r", 1), 1), Ok(Transition::Completed))]);
    assert_eq!((job.due_at(&POLICY), job.status(Timestamp::LAST)), (None, Status::Completed));
}

#[test]
fn only_a_result_can_be_invalidated() {
    apply(
        claimed(),
        &[
            (1, Event::ResultInvalid, Err(Rejected::EndedDifferently)),
            (2, complete(lease_claim("r", 1), 1), Ok(Transition::Completed)),
            (3, Event::ResultInvalid, Ok(Transition::Expired)),
            (4, Event::ResultInvalid, Ok(Transition::Unchanged)),
        ],
    );
    apply(
        claimed(),
        &[
            (1, fail(lease_claim("r", 1), 1), Ok(Transition::Failed)),
            (2, Event::ResultInvalid, Err(Rejected::EndedDifferently)),
        ],
    );
}

#[test]
fn the_last_reported_progress_is_kept() {
    let far = Some(Progress { current: 2, total: 3 });
    let job = apply(
        claimed(),
        &[
            (
                1,
                Event::Heartbeat { lease_claim: lease_claim("r", 1), progress: far },
                Ok(Transition::Heartbeat),
            ),
            (2, heartbeat(lease_claim("r", 1)), Ok(Transition::Heartbeat)),
        ],
    );
    assert!(matches!(&job.state, State::Running(running) if running.progress == far));
    let again =
        apply(job, &[(92, Event::Tick, Ok(Transition::Queued)), (92, claim("r"), Ok(Transition::Claimed))]);
    assert!(matches!(&again.state, State::Running(running) if running.progress.is_none()));
}

#[test]
fn ending_does_not_make_a_job_current() {
    for (event, transition) in [
        (complete(lease_claim("r", 1), 1), Transition::Completed),
        (fail(lease_claim("r", 1), 1), Transition::Failed),
    ] {
        let mut job = claimed();
        job.is_current = false;
        assert!(!apply(job, &[(1, event, Ok(transition))]).is_current);
    }
}

#[test]
fn counters_and_times_saturate() {
    let mut crowded = job();
    crowded.callers = u32::MAX;
    assert_eq!(joined(&crowded, &options(), 1).callers, u32::MAX);
    let for_ever = apply(
        claimed_with(|options| {
            options.ttl = Some(Duration::MAX);
            options.retry_backoff = Duration::MAX;
            options.max_attempts = 2;
        }),
        &[(1, fail(lease_claim("r", 1), 1), Ok(Transition::Queued))],
    );
    assert_eq!(for_ever.ready_at, Timestamp::LAST);
}
