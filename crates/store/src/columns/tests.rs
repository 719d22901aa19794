//! Jobs converted to columns and back, and columns with invalid values.

use pilotlight_core::job::{CancelScope, Event, LeaseClaim, Submission};

use super::*;

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

/// A job after these events, each a millisecond after the one before.
fn job(events: &[Event]) -> Job {
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
    for (step, event) in (2..).zip(events) {
        job.handle(event, &POLICY, at(step)).unwrap();
    }
    job
}

/// At least one job for each stored status.
fn jobs() -> Vec<(StoredStatus, Job)> {
    let lease_claim = || LeaseClaim { runner: runner(), lease: None };
    let claim = Event::Claim { runner: runner() };
    let progress = Some(Progress { current: 0, total: u64::MAX });
    let result = Fingerprint([0xab; 32]);
    let complete = Event::Complete { lease_claim: lease_claim(), result };
    let mut delayed = job(&[]);
    delayed.ready_at = Timestamp::LAST;
    vec![
        (StoredStatus::Ready, job(&[])),
        (StoredStatus::Delayed, delayed),
        (StoredStatus::Dispatching, job(&[Event::Dispatch { runner: runner() }])),
        (StoredStatus::Claimed, job(std::slice::from_ref(&claim))),
        (
            StoredStatus::InProgress,
            job(&[claim.clone(), Event::Heartbeat { lease_claim: lease_claim(), progress }]),
        ),
        (
            StoredStatus::InProgress,
            job(&[claim.clone(), Event::Heartbeat { lease_claim: lease_claim(), progress: None }]),
        ),
        (StoredStatus::Completed, job(&[claim.clone(), complete.clone()])),
        (StoredStatus::Expired, job(&[claim.clone(), complete, Event::ResultInvalid])),
        (StoredStatus::Failed, job(&[claim, Event::Cancel(CancelScope::AllCallers)])),
        (StoredStatus::Failed, job(&[Event::Cancel(CancelScope::AllCallers)])),
    ]
}

#[test]
fn a_job_reads_back_as_it_was_written() {
    for (phase, job) in jobs() {
        let row = JobColumns::from_job(&job, at(9));
        assert_eq!(StoredStatus::from_number(row.phase).unwrap(), phase);
        assert_eq!(row.clone().into_job().unwrap(), job, "{phase:?}");
        assert_eq!(JobColumns::from_job(&row.clone().into_job().unwrap(), at(9)), row);
    }
}

#[test]
fn every_stored_status_has_its_own_number() {
    for (number, phase) in (0..).zip(StoredStatus::ALL) {
        assert_eq!(phase.number(), number);
        assert_eq!(StoredStatus::from_number(number).unwrap(), phase);
    }
}

#[test]
fn the_stored_status_gives_the_public_status() {
    for (phase, job) in jobs() {
        assert_eq!(phase.status(), job.status(at(9)), "{phase:?}");
    }
}

#[test]
fn an_invalid_row_is_corrupt_and_names_its_column() {
    let ready = || JobColumns::from_job(&job(&[]), at(9));
    let claimed = || JobColumns::from_job(&job(&[Event::Claim { runner: runner() }]), at(9));
    for (column, row) in [
        ("id", JobColumns { id: vec![1; 15], ..ready() }),
        ("job_type", JobColumns { job_type: " ".into(), ..ready() }),
        ("cache_key", JobColumns { cache_key: vec![], ..ready() }),
        ("priority", JobColumns { priority: i64::MAX, ..ready() }),
        ("run_at", JobColumns { run_at: -1, ..ready() }),
        ("max_attempts", JobColumns { max_attempts: -1, ..ready() }),
        ("retry_backoff_ms", JobColumns { retry_backoff_ms: -1, ..ready() }),
        ("ttl_ms", JobColumns { ttl_ms: Some(-1), ..ready() }),
        ("callers", JobColumns { callers: i64::MAX, ..ready() }),
        ("created_at", JobColumns { created_at: i64::MIN, ..ready() }),
        ("attempts", JobColumns { attempts: -1, ..ready() }),
        ("losses", JobColumns { losses: -1, ..ready() }),
        ("phase", JobColumns { phase: 8, ..ready() }),
        ("phase", JobColumns { phase: -1, ..ready() }),
        ("runner", JobColumns { phase: 3, ..ready() }),
        ("runner", JobColumns { runner: Some(String::new()), ..claimed() }),
        ("held_at", JobColumns { held_at: None, ..claimed() }),
        ("heard_at", JobColumns { heard_at: None, ..claimed() }),
        ("until_at", JobColumns { phase: 2, ..claimed() }),
        ("fingerprint", JobColumns { phase: 5, ..claimed() }),
        ("fingerprint", JobColumns { phase: 5, fingerprint: Some(vec![1]), ..claimed() }),
        ("failure", JobColumns { phase: 7, ..claimed() }),
        ("failure", JobColumns { phase: 7, failure: Some(3), ..claimed() }),
    ] {
        let error = row.into_job().unwrap_err();
        assert_eq!(error.to_string(), format!("the store is damaged: a row has an invalid `{column}`"));
    }
}
