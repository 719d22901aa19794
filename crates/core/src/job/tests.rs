//! Lives of jobs as tables: when, what is said, what it changes. After each table, where the job stands.

use std::time::Duration;

use super::*;
use crate::cache_key::CacheKey;
use crate::ids::{JobType, RunnerId};
use crate::time::Timestamp;

mod admit;
use admit::joined;

/// A dispatch lasts 20 ms, a silence 90 ms, a failure is remembered for 600 ms; a lost job is queued again twice.
const RULES: Rules = Rules {
    heartbeat_timeout: Duration::from_millis(90),
    dispatch_within: Duration::from_millis(20),
    lost_retries: 2,
    failed_ttl: Duration::from_millis(600),
};

type Heard = Result<Change, Refused>;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn runner(name: &str) -> RunnerId {
    RunnerId::parse(name).unwrap()
}

fn options() -> Options {
    Options {
        priority: 0,
        run_at: at(0),
        max_attempts: 1,
        retry_backoff: Duration::from_millis(10),
        ttl: None,
    }
}

/// A job that is submitted at 0.
fn job() -> Job {
    job_with(|_| {})
}

fn job_with(wish: impl FnOnce(&mut Options)) -> Job {
    let mut options = options();
    wish(&mut options);
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

fn claimed_with(wish: impl FnOnce(&mut Options)) -> Job {
    live(job_with(wish), &[(0, claim("r"), Ok(Change::Claimed))])
}

/// Says each thing at its time. What is refused, and what changes nothing, must leave the job as it was.
fn live(mut job: Job, life: &[(u64, Event, Heard)]) -> Job {
    for (step, (now, event, expected)) in life.iter().enumerate() {
        let before = job.clone();
        assert_eq!(job.handle(event, &RULES, at(*now)), *expected, "step {step}, {event:?}");
        if matches!(expected, Ok(Change::Nothing) | Err(_)) {
            assert_eq!(job, before, "step {step}, {event:?}");
        } else {
            assert_eq!(job.updated_at, at(*now), "step {step}, {event:?}");
        }
        assert!(job.lease >= before.lease, "a lease only grows");
    }
    job
}

fn word(name: &str, lease: u64) -> Word {
    Word { runner: runner(name), lease: Some(Lease::new(lease)) }
}

/// The word of a client that knows no leases.
fn bare(name: &str) -> Word {
    Word { runner: runner(name), lease: None }
}

fn claim(name: &str) -> Event {
    Event::Claim { runner: runner(name) }
}

fn dispatch(name: &str) -> Event {
    Event::Dispatch { runner: runner(name) }
}

fn void(lease: u64) -> Event {
    Event::Void { lease: Lease::new(lease) }
}

fn beat(word: Word) -> Event {
    Event::Heartbeat { word, progress: None }
}

fn complete(word: Word, result: u8) -> Event {
    Event::Complete { word, result: Fingerprint([result; 32]) }
}

fn fail(word: Word, report: u8) -> Event {
    Event::Fail { word, report: Fingerprint([report; 32]) }
}

const ONE: Event = Event::Cancel(Cancel::One);
const ALL: Event = Event::Cancel(Cancel::All);

#[test]
fn a_claimed_job_is_executed_and_completed() {
    let job = live(
        job(),
        &[
            (5, claim("r"), Ok(Change::Claimed)),
            (6, beat(bare("r")), Ok(Change::Heard)),
            (7, complete(bare("r"), 1), Ok(Change::Completed)),
        ],
    );
    assert_eq!((job.attempts, job.losses, job.lease), (1, 0, Lease::new(1)));
    assert_eq!(job.status(at(8)), Status::Completed);
    assert_eq!(job.hold().map(|hold| hold.since), Some(at(5)));
}

#[test]
fn statuses_follow_a_life() {
    let mut job = job();
    for (event, status) in [
        (Event::Tick, Status::Pending),
        (dispatch("r"), Status::Claimed),
        (Event::Start(word("r", 1)), Status::Claimed),
        (beat(word("r", 1)), Status::InProgress),
        (fail(word("r", 1), 1), Status::Failed),
    ] {
        job.handle(&event, &RULES, at(1)).unwrap();
        assert_eq!(job.status(at(1)), status, "{event:?}");
        assert_eq!(job.has_ended(), status.has_ended());
    }
}

#[test]
fn only_one_runner_gets_a_job() {
    live(
        claimed(),
        &[
            (1, claim("s"), Err(Refused::NotAvailable)),
            (1, claim("r"), Err(Refused::NotAvailable)),
            (1, dispatch("s"), Err(Refused::NotAvailable)),
            (2, complete(bare("r"), 1), Ok(Change::Completed)),
            (3, claim("s"), Err(Refused::NotAvailable)),
            (3, dispatch("s"), Err(Refused::NotAvailable)),
        ],
    );
}

#[test]
fn nobody_gets_a_job_before_its_time() {
    live(
        job_with(|options| options.run_at = at(50)),
        &[
            (49, claim("r"), Err(Refused::NotAvailable)),
            (49, dispatch("r"), Err(Refused::NotAvailable)),
            (50, dispatch("r"), Ok(Change::Dispatched)),
        ],
    );
}

#[test]
fn a_dispatch_becomes_a_try_with_its_start() {
    let dispatched = live(job(), &[(5, dispatch("r"), Ok(Change::Dispatched))]);
    assert_eq!((dispatched.attempts, dispatched.lease), (0, Lease::new(1)));
    assert_eq!(dispatched.due_at(&RULES), Some(at(25)));
    let started = live(
        dispatched,
        &[
            (6, Event::Start(word("s", 1)), Err(Refused::StaleLease)),
            (6, Event::Start(word("r", 2)), Err(Refused::StaleLease)),
            (24, Event::Start(word("r", 1)), Ok(Change::Claimed)),
            (24, Event::Start(word("r", 1)), Ok(Change::Nothing)),
            (25, Event::Tick, Ok(Change::Nothing)),
        ],
    );
    assert_eq!((started.attempts, started.due_at(&RULES)), (1, Some(at(114))));
}

#[test]
fn a_runner_that_wakes_up_late_executes_nothing() {
    live(
        job(),
        &[
            (5, dispatch("r"), Ok(Change::Dispatched)),
            (25, Event::Start(word("r", 1)), Err(Refused::StaleLease)),
            (25, beat(word("r", 1)), Err(Refused::StaleLease)),
            (25, complete(word("r", 1), 1), Err(Refused::StaleLease)),
            (25, Event::Tick, Ok(Change::Queued)),
            (26, Event::Start(word("r", 1)), Err(Refused::StaleLease)),
            (27, dispatch("s"), Ok(Change::Dispatched)),
            (28, Event::Start(word("r", 1)), Err(Refused::StaleLease)),
            (28, Event::Start(word("s", 2)), Ok(Change::Claimed)),
            (29, Event::Start(word("r", 1)), Err(Refused::StaleLease)),
        ],
    );
}

#[test]
fn a_dispatch_that_did_not_arrive_uses_no_try() {
    let job = live(
        job(),
        &[
            (5, dispatch("r"), Ok(Change::Dispatched)),
            (6, void(2), Err(Refused::StaleLease)),
            (6, void(1), Ok(Change::Queued)),
            (6, void(1), Err(Refused::StaleLease)),
            (7, dispatch("r"), Ok(Change::Dispatched)),
            (27, Event::Tick, Ok(Change::Queued)),
            (28, dispatch("r"), Ok(Change::Dispatched)),
        ],
    );
    assert_eq!((job.attempts, job.losses, job.lease), (0, 0, Lease::new(3)));
}

#[test]
fn a_started_job_cannot_be_voided() {
    live(claimed(), &[(1, void(1), Err(Refused::StaleLease))]);
}

#[test]
fn whatever_its_runner_says_first_starts_a_dispatched_job() {
    for (event, change) in [
        (beat(word("r", 1)), Change::Heard),
        (complete(word("r", 1), 1), Change::Completed),
        (fail(word("r", 1), 1), Change::Failed),
    ] {
        let life = [(5, dispatch("r"), Ok(Change::Dispatched)), (6, event, Ok(change))];
        assert_eq!(live(job(), &life).attempts, 1, "{change:?}");
    }
}

#[test]
fn a_strangers_words_change_nothing() {
    live(
        claimed(),
        &[
            (1, beat(bare("s")), Err(Refused::NotYours)),
            (1, complete(bare("s"), 1), Err(Refused::NotYours)),
            (1, fail(bare("s"), 1), Err(Refused::NotYours)),
            (1, Event::Start(bare("s")), Err(Refused::NotYours)),
            // One who guessed the lease is still not the one who was given it.
            (1, complete(word("s", 1), 1), Err(Refused::StaleLease)),
        ],
    );
    live(
        job(),
        &[(1, beat(bare("r")), Err(Refused::NotYours)), (1, beat(word("r", 0)), Err(Refused::StaleLease))],
    );
}

#[test]
fn silence_loses_a_job_and_uses_no_try() {
    let job = live(
        claimed(),
        &[
            (80, beat(word("r", 1)), Ok(Change::Heard)),
            (169, Event::Tick, Ok(Change::Nothing)),
            (170, Event::Tick, Ok(Change::Queued)),
            (170, Event::Tick, Ok(Change::Nothing)),
        ],
    );
    assert_eq!((job.attempts, job.losses, job.ready_at), (0, 1, at(170)));
    assert_eq!(job.hold(), None);
}

#[test]
fn a_lost_runners_late_words_are_refused() {
    live(
        claimed(),
        &[
            (90, Event::Tick, Ok(Change::Queued)),
            (91, beat(word("r", 1)), Err(Refused::StaleLease)),
            (91, complete(word("r", 1), 1), Err(Refused::StaleLease)),
            (91, complete(bare("r"), 1), Err(Refused::NotYours)),
            (92, claim("s"), Ok(Change::Claimed)),
            (93, complete(word("r", 1), 1), Err(Refused::StaleLease)),
            (93, complete(bare("r"), 1), Err(Refused::NotYours)),
            (93, fail(word("r", 1), 1), Err(Refused::StaleLease)),
            (94, complete(word("s", 2), 2), Ok(Change::Completed)),
            (95, complete(word("r", 1), 2), Err(Refused::StaleLease)),
            (95, complete(bare("r"), 2), Err(Refused::NotYours)),
        ],
    );
}

#[test]
fn the_same_runners_old_try_is_fenced_off_by_its_lease() {
    live(
        claimed(),
        &[
            (90, Event::Tick, Ok(Change::Queued)),
            (91, claim("r"), Ok(Change::Claimed)),
            (92, complete(word("r", 1), 1), Err(Refused::StaleLease)),
            (93, complete(word("r", 2), 2), Ok(Change::Completed)),
        ],
    );
}

#[test]
fn a_silence_that_nobody_noticed_is_forgiven() {
    live(claimed(), &[(500, beat(word("r", 1)), Ok(Change::Heard)), (501, Event::Tick, Ok(Change::Nothing))]);
}

#[test]
fn a_job_that_is_lost_too_often_fails_and_is_not_remembered() {
    let job = live(
        claimed(),
        &[
            (90, Event::Tick, Ok(Change::Queued)),
            (90, claim("r"), Ok(Change::Claimed)),
            (180, Event::Tick, Ok(Change::Queued)),
            (180, claim("r"), Ok(Change::Claimed)),
            (270, Event::Tick, Ok(Change::Failed)),
            (271, Event::Tick, Ok(Change::Nothing)),
            (271, complete(word("r", 3), 1), Err(Refused::EndedOtherwise)),
            (271, beat(word("r", 3)), Err(Refused::EndedOtherwise)),
        ],
    );
    assert_eq!(job.losses, 3);
    assert!(matches!(job.state, State::Failed { why: Failure::Lost, until: None, report: None, .. }));
    assert_eq!(admit(Some(&job), Freshness::Any, &options(), at(272)), Admitted::New { is_current: true });
}

#[test]
fn losses_and_failed_tries_are_counted_apart() {
    let job = live(
        claimed_with(|options| options.max_attempts = 2),
        &[
            (90, Event::Tick, Ok(Change::Queued)),
            (90, claim("r"), Ok(Change::Claimed)),
            (91, fail(word("r", 2), 1), Ok(Change::Queued)),
            (101, claim("r"), Ok(Change::Claimed)),
            (191, Event::Tick, Ok(Change::Queued)),
            (191, claim("r"), Ok(Change::Claimed)),
            (192, fail(word("r", 4), 1), Ok(Change::Failed)),
        ],
    );
    assert_eq!((job.attempts, job.losses), (2, 2));
}

#[test]
fn each_failed_try_doubles_the_pause() {
    let job = live(
        claimed_with(|options| options.max_attempts = 3),
        &[
            (1, fail(word("r", 1), 1), Ok(Change::Queued)),
            (10, claim("r"), Err(Refused::NotAvailable)),
            (11, claim("r"), Ok(Change::Claimed)),
            (12, fail(word("r", 2), 1), Ok(Change::Queued)),
            (31, claim("r"), Err(Refused::NotAvailable)),
            (32, claim("r"), Ok(Change::Claimed)),
            (33, fail(word("r", 3), 1), Ok(Change::Failed)),
        ],
    );
    assert!(
        matches!(job.state, State::Failed { why: Failure::Error, until: Some(until), .. } if until == at(633))
    );
}

#[test]
fn what_was_said_twice_counts_once() {
    live(
        claimed(),
        &[
            (1, complete(word("r", 1), 1), Ok(Change::Completed)),
            (2, complete(word("r", 1), 1), Ok(Change::Nothing)),
            (2, complete(bare("r"), 1), Ok(Change::Nothing)),
            (2, complete(word("r", 1), 2), Err(Refused::EndedOtherwise)),
            (2, complete(bare("s"), 1), Err(Refused::NotYours)),
            (2, fail(word("r", 1), 1), Err(Refused::EndedOtherwise)),
            (2, beat(word("r", 1)), Err(Refused::EndedOtherwise)),
            (2, Event::Start(word("r", 1)), Err(Refused::EndedOtherwise)),
        ],
    );
    live(
        claimed(),
        &[
            (1, fail(word("r", 1), 1), Ok(Change::Failed)),
            (2, fail(word("r", 1), 1), Ok(Change::Nothing)),
            (2, fail(word("r", 1), 2), Err(Refused::EndedOtherwise)),
            (2, fail(word("r", 2), 1), Err(Refused::StaleLease)),
            (2, complete(word("r", 1), 1), Err(Refused::EndedOtherwise)),
        ],
    );
}

#[test]
fn the_last_callers_cancel_ends_a_job() {
    let mut job = job();
    job.callers = 3;
    let job = live(
        job,
        &[
            (1, ONE, Ok(Change::Left)),
            (2, claim("r"), Ok(Change::Claimed)),
            (3, ONE, Ok(Change::Left)),
            (4, ONE, Ok(Change::Failed)),
            (5, ONE, Err(Refused::Ended)),
            (5, ALL, Err(Refused::Ended)),
            (6, beat(word("r", 1)), Err(Refused::Cancelled)),
            (6, beat(bare("r")), Err(Refused::Cancelled)),
            (6, complete(word("r", 1), 1), Err(Refused::Cancelled)),
            (6, fail(word("r", 1), 1), Err(Refused::Cancelled)),
            (6, beat(bare("s")), Err(Refused::NotYours)),
            (7, Event::Tick, Ok(Change::Nothing)),
        ],
    );
    assert!(matches!(job.state, State::Failed { why: Failure::Cancelled, until: None, .. }));
    assert_eq!(admit(Some(&job), Freshness::Any, &options(), at(8)), Admitted::New { is_current: true });
}

#[test]
fn an_operators_cancel_is_everybodys() {
    let mut job = job();
    job.callers = 3;
    live(job, &[(1, ALL, Ok(Change::Failed))]);
}

#[test]
fn a_cancel_on_the_way_to_a_runner_reaches_it() {
    live(
        job(),
        &[
            (1, dispatch("r"), Ok(Change::Dispatched)),
            (2, ALL, Ok(Change::Failed)),
            (3, Event::Start(word("r", 1)), Err(Refused::Cancelled)),
            (3, void(1), Err(Refused::StaleLease)),
        ],
    );
}

#[test]
fn what_has_ended_cannot_be_cancelled() {
    live(claimed(), &[(1, complete(word("r", 1), 1), Ok(Change::Completed)), (2, ALL, Err(Refused::Ended))]);
}

#[test]
fn a_result_expires_when_its_time_is_over() {
    let ended = live(
        claimed_with(|options| options.ttl = Some(Duration::from_millis(30))),
        &[(10, complete(word("r", 1), 1), Ok(Change::Completed)), (39, Event::Tick, Ok(Change::Nothing))],
    );
    assert_eq!(ended.due_at(&RULES), Some(at(40)));
    assert_eq!((ended.status(at(39)), ended.status(at(40))), (Status::Completed, Status::Expired));
    let marked = live(
        ended,
        &[
            (40, Event::Tick, Ok(Change::Expired)),
            (41, Event::Tick, Ok(Change::Nothing)),
            (41, Event::Invalid, Ok(Change::Nothing)),
            // Its answer may have been lost.
            (42, complete(word("r", 1), 1), Ok(Change::Nothing)),
        ],
    );
    assert_eq!((marked.status(at(0)), marked.due_at(&RULES)), (Status::Expired, None));
}

#[test]
fn a_result_without_a_time_stays_valid() {
    let job = live(claimed(), &[(1, complete(word("r", 1), 1), Ok(Change::Completed))]);
    assert_eq!((job.due_at(&RULES), job.status(Timestamp::LAST)), (None, Status::Completed));
}

#[test]
fn only_a_result_can_be_found_invalid() {
    live(
        claimed(),
        &[
            (1, Event::Invalid, Err(Refused::EndedOtherwise)),
            (2, complete(word("r", 1), 1), Ok(Change::Completed)),
            (3, Event::Invalid, Ok(Change::Expired)),
            (4, Event::Invalid, Ok(Change::Nothing)),
        ],
    );
    live(
        claimed(),
        &[(1, fail(word("r", 1), 1), Ok(Change::Failed)), (2, Event::Invalid, Err(Refused::EndedOtherwise))],
    );
}

#[test]
fn progress_is_the_last_that_was_said() {
    let far = Some(Progress { current: 2, total: 3 });
    let job = live(
        claimed(),
        &[
            (1, Event::Heartbeat { word: word("r", 1), progress: far }, Ok(Change::Heard)),
            (2, beat(word("r", 1)), Ok(Change::Heard)),
        ],
    );
    assert!(matches!(&job.state, State::Executing(executing) if executing.progress == far));
    let again = live(job, &[(92, Event::Tick, Ok(Change::Queued)), (92, claim("r"), Ok(Change::Claimed))]);
    assert!(matches!(&again.state, State::Executing(executing) if executing.progress.is_none()));
}

#[test]
fn an_end_alone_does_not_make_a_job_the_one_that_is_found() {
    for (event, change) in
        [(complete(word("r", 1), 1), Change::Completed), (fail(word("r", 1), 1), Change::Failed)]
    {
        let mut job = claimed();
        job.is_current = false;
        assert!(!live(job, &[(1, event, Ok(change))]).is_current);
    }
}

#[test]
fn numbers_at_their_ends_do_not_wrap() {
    let mut crowded = job();
    crowded.callers = u32::MAX;
    assert_eq!(joined(&crowded, &options(), 1).callers, u32::MAX);
    let for_ever = live(
        claimed_with(|options| {
            options.ttl = Some(Duration::MAX);
            options.retry_backoff = Duration::MAX;
            options.max_attempts = 2;
        }),
        &[(1, fail(word("r", 1), 1), Ok(Change::Queued))],
    );
    assert_eq!(for_ever.ready_at, Timestamp::LAST);
}
