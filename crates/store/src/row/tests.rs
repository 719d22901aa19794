//! Rows and back, and rows that make no sense.

use super::*;
use pilotlight_core::job::{CancelScope, Event, LeaseClaim, Submission};

const POLICY: pilotlight_core::job::JobPolicy = pilotlight_core::job::JobPolicy {
    heartbeat_timeout: Duration::from_millis(90),
    start_timeout: Duration::from_millis(20),
    lost_retries: 0,
    failed_ttl: Duration::from_millis(600),
};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn runner() -> RunnerId {
    RunnerId::parse("r").unwrap()
}

/// A job after these words, each a millisecond later.
fn job(life: &[Event]) -> Job {
    let options = JobOptions {
        priority: i32::MIN,
        run_at: at(0),
        max_attempts: u32::MAX,
        retry_backoff: Duration::from_millis(7),
        ttl: Some(Duration::from_millis(1000)),
    };
    let submission = Submission {
        id: JobId::from_bytes([0xff; 16]),
        job_type: JobType::parse("render").unwrap(),
        key: CacheKey::from_bytes([0xfe; 32]),
        options,
        is_current: true,
    };
    let mut job = Job::new(submission, at(1));
    for (step, event) in (2..).zip(life) {
        job.handle(event, &POLICY, at(step)).unwrap();
    }
    job
}

/// One job for each place in a life.
fn jobs() -> Vec<(Phase, Job)> {
    let lease_claim = || LeaseClaim { runner: runner(), lease: None };
    let claim = Event::Claim { runner: runner() };
    let progress = Some(Progress { current: 0, total: u64::MAX });
    let result = Fingerprint([0xab; 32]);
    let complete = Event::Complete { lease_claim: lease_claim(), result };
    let mut delayed = job(&[]);
    delayed.ready_at = Timestamp::LAST;
    vec![
        (Phase::Ready, job(&[])),
        (Phase::Delayed, delayed),
        (Phase::Dispatching, job(&[Event::Dispatch { runner: runner() }])),
        (Phase::Claimed, job(std::slice::from_ref(&claim))),
        (Phase::InProgress, job(&[claim.clone(), Event::Heartbeat { lease_claim: lease_claim(), progress }])),
        (
            Phase::InProgress,
            job(&[claim.clone(), Event::Heartbeat { lease_claim: lease_claim(), progress: None }]),
        ),
        (Phase::Completed, job(&[claim.clone(), complete.clone()])),
        (Phase::Expired, job(&[claim.clone(), complete, Event::ResultInvalid])),
        (Phase::Failed, job(&[claim, Event::Cancel(CancelScope::AllCallers)])),
        (Phase::Failed, job(&[Event::Cancel(CancelScope::AllCallers)])),
    ]
}

#[test]
fn a_job_reads_back_as_it_was_written() {
    for (phase, job) in jobs() {
        let row = Row::of(&job, at(9));
        assert_eq!(Phase::from_number(row.phase).unwrap(), phase);
        assert_eq!(row.clone().job().unwrap(), job, "{phase:?}");
        assert_eq!(Row::of(&row.clone().job().unwrap(), at(9)), row);
    }
}

#[test]
fn every_phase_has_its_own_number() {
    for (number, phase) in (0..).zip(Phase::ALL) {
        assert_eq!(phase.number(), number);
        assert_eq!(Phase::from_number(number).unwrap(), phase);
    }
}

#[test]
fn a_phase_tells_the_status_of_the_job() {
    for (phase, job) in jobs() {
        assert_eq!(phase.status(), job.status(at(9)), "{phase:?}");
    }
}

#[test]
fn what_makes_no_sense_is_damage_that_names_its_column() {
    let ready = || Row::of(&job(&[]), at(9));
    let claimed = || Row::of(&job(&[Event::Claim { runner: runner() }]), at(9));
    for (column, row) in [
        ("id", Row { id: vec![1; 15], ..ready() }),
        ("job_type", Row { job_type: " ".into(), ..ready() }),
        ("cache_key", Row { cache_key: vec![], ..ready() }),
        ("priority", Row { priority: i64::MAX, ..ready() }),
        ("run_at", Row { run_at: -1, ..ready() }),
        ("max_attempts", Row { max_attempts: -1, ..ready() }),
        ("retry_backoff_ms", Row { retry_backoff_ms: -1, ..ready() }),
        ("ttl_ms", Row { ttl_ms: Some(-1), ..ready() }),
        ("callers", Row { callers: i64::MAX, ..ready() }),
        ("created_at", Row { created_at: i64::MIN, ..ready() }),
        ("attempts", Row { attempts: -1, ..ready() }),
        ("losses", Row { losses: -1, ..ready() }),
        ("phase", Row { phase: 8, ..ready() }),
        ("phase", Row { phase: -1, ..ready() }),
        ("runner", Row { phase: 3, ..ready() }),
        ("runner", Row { runner: Some(String::new()), ..claimed() }),
        ("held_at", Row { held_at: None, ..claimed() }),
        ("heard_at", Row { heard_at: None, ..claimed() }),
        ("until_at", Row { phase: 2, ..claimed() }),
        ("fingerprint", Row { phase: 5, ..claimed() }),
        ("fingerprint", Row { phase: 5, fingerprint: Some(vec![1]), ..claimed() }),
        ("failure", Row { phase: 7, ..claimed() }),
        ("failure", Row { phase: 7, failure: Some(3), ..claimed() }),
    ] {
        let error = row.job().unwrap_err();
        assert_eq!(error.to_string(), format!("the store is damaged: a row has no sensible `{column}`"));
    }
}
