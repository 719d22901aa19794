//! Tables of events, and what a store writes for them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{Fingerprint, JobId, JobOptions, JobPolicy, LeaseClaim, QueueLimits, Submission};

use super::*;
use crate::records::Limits;

const CONSOLE_LIMIT: usize = 10;

fn settings(webhook_type: &str) -> Settings {
    Settings {
        policy: JobPolicy {
            heartbeat_timeout: Duration::from_secs(90),
            start_timeout: Duration::from_secs(2),
            lost_retries: 3,
            failed_ttl: Duration::from_mins(10),
        },
        webhook_types: Arc::new(HashSet::from([job_type(webhook_type)])),
        limits: Limits { console_bytes: CONSOLE_LIMIT },
        queue_limits: QueueLimits::default(),
    }
}

fn job_type(name: &str) -> JobType {
    JobType::parse(name).unwrap()
}

fn runner() -> RunnerId {
    RunnerId::parse("runner-1").unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_000)
}

/// A job of type `t` that no runner has yet, with a console of this size from an earlier attempt.
fn pending(number: u8, is_current: bool, console: i64) -> JobRow {
    let submission = Submission {
        id: JobId::from_bytes([number; 16]),
        job_type: job_type("t"),
        key: CacheKey::from_bytes([0; 32]),
        options: JobOptions::default_at(now()),
        is_current,
    };
    let job = Job::new(submission, now());
    let bytes = JobBytes { input: 2, output: 0, console };
    JobRow { status: StoredStatus::of_job(&job, now()), job, seq: number.into(), ended_at: None, bytes }
}

/// The same job after these events.
fn after(mut row: JobRow, events: &[Event]) -> JobRow {
    for event in events {
        row.job.handle(event, &settings("t").policy, now()).unwrap();
    }
    row.status = StoredStatus::of_job(&row.job, now());
    row
}

fn claimed(number: u8, is_current: bool, console: i64) -> JobRow {
    after(pending(number, is_current, console), &[Event::Claim { runner: runner() }])
}

fn lease_claim() -> LeaseClaim {
    LeaseClaim { runner: runner(), lease: None }
}

fn heartbeat() -> Event {
    Event::Heartbeat { lease_claim: lease_claim(), progress: None }
}

fn complete() -> Event {
    Event::Complete { lease_claim: lease_claim(), result: Fingerprint::of_json("{}") }
}

fn plan<'a>(read: ReadJob<'a>, event: &'a Event, runner_output: &'a RunnerOutput) -> EventPlan<'a> {
    plan_event(read, EventWithOutput { event, runner_output }, &settings("t"), now())
}

fn written(plan: EventPlan<'_>) -> WritePlan<'_> {
    match plan {
        EventPlan::Write(plan) => *plan,
        EventPlan::Nothing(outcome) => panic!("nothing is written: {outcome:?}"),
    }
}

fn unwritten(plan: EventPlan<'_>) -> EventOutcome {
    match plan {
        EventPlan::Nothing(outcome) => *outcome,
        EventPlan::Write(plan) => panic!("this is written: {plan:?}"),
    }
}

#[test]
fn the_console_begins_grows_and_is_replaced() {
    let replace = |text: &str| Some(ConsoleUpdate::Replace(text.to_owned()));
    let append = |text: &str| Some(ConsoleUpdate::Append(text.to_owned()));
    for (stored, console, expected, bytes) in [
        (0, None, ConsoleWrite::Keep, 0),
        (4, None, ConsoleWrite::Keep, 4),
        (0, append("ab"), ConsoleWrite::Begin("ab"), 2),
        (4, append("ab"), ConsoleWrite::Append("ab"), 6),
        (4, append("123456"), ConsoleWrite::Append("123456"), 10),
        (0, replace("ab"), ConsoleWrite::Begin("ab"), 2),
        (4, replace("ab"), ConsoleWrite::Replace("ab"), 2),
    ] {
        let (before, event) = (claimed(1, true, stored), heartbeat());
        let output = RunnerOutput { console, ..RunnerOutput::default() };
        let plan = written(plan(ReadJob::only(&before), &event, &output));
        assert_eq!((plan.console, plan.bytes.console), (expected, bytes), "{stored} {output:?}");
        assert!(plan.output.is_none() && plan.webhook.is_none() && plan.ended_at.is_none());
    }
}

#[test]
fn a_console_beyond_its_limit_is_refused_and_nothing_is_written() {
    for console in
        [ConsoleUpdate::Append("1234567".to_owned()), ConsoleUpdate::Replace("12345678901".to_owned())]
    {
        let (before, event) = (claimed(1, true, 4), heartbeat());
        let output = RunnerOutput { console: Some(console), ..RunnerOutput::default() };
        let outcome = plan(ReadJob::only(&before), &event, &output);
        assert!(matches!(unwritten(outcome), EventOutcome::ConsoleFull), "{output:?}");
    }
}

#[test]
fn a_new_attempt_begins_with_an_empty_console() {
    for event in [Event::Claim { runner: runner() }, Event::Dispatch { runner: runner() }] {
        let (before, output) = (pending(1, true, 4), RunnerOutput::default());
        let plan = written(plan(ReadJob::only(&before), &event, &output));
        assert_eq!((plan.console, plan.bytes.console), (ConsoleWrite::Clear, 0), "{event:?}");
    }
}

#[test]
fn an_ended_job_has_its_output_its_size_and_its_webhook() {
    let (before, event) = (claimed(1, true, 0), complete());
    let output = RunnerOutput { result: Some("{}".to_owned()), ..RunnerOutput::default() };
    let happened = EventWithOutput { event: &event, runner_output: &output };
    for (webhook_type, webhook) in [("t", Some(WebhookTrigger::Completed)), ("other", None)] {
        let plan = written(plan_event(ReadJob::only(&before), happened, &settings(webhook_type), now()));
        assert_eq!((plan.bytes.output, plan.output.is_some(), plan.webhook), (2, true, webhook));
        assert_eq!((plan.ended_at, plan.status), (Some(1_000), StoredStatus::Completed));
    }
}

#[test]
fn a_completed_job_replaces_the_current_one_that_was_submitted_before_it() {
    let (event, output) = (complete(), RunnerOutput::default());
    let (earlier, later) = (pending(1, true, 0), claimed(2, false, 0));
    assert!(may_become_current(&later, &event));
    let plan = written(plan(ReadJob { before: &later, current: Some(&earlier) }, &event, &output));
    assert!(plan.job.is_current);
    assert_eq!(plan.replaced.map(|row| row.seq), Some(1));
    assert!(!may_become_current(&claimed(2, true, 0), &event), "it is the current one already");
    assert!(!may_become_current(&later, &heartbeat()));
}

#[test]
fn a_rejected_event_writes_nothing() {
    let (before, event, output) = (pending(1, true, 0), complete(), RunnerOutput::default());
    let outcome = plan(ReadJob::only(&before), &event, &output);
    assert!(matches!(unwritten(outcome), EventOutcome::Rejected(..)));
}
