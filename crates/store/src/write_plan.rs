//! What a store must write when an event happens to a job, computed from what it read: once, purely, for both
//! databases. `core::job` decides what the event changes; this file adds what follows for the rows of a job: sizes, the
//! console, the output, which job is current, and the webhook call.

use pilotlight_core::job::{EndedAttempt, Event, Job, Transition};
use pilotlight_core::time::Timestamp;

use crate::columns::{JobColumns, StoredStatus, millis_of_time};
use crate::job_row::{JobBytes, JobRow, length};
use crate::records::{AppliedEvent, ConsoleUpdate, EventOutcome, RunnerOutput, Settings, WebhookTrigger};

/// A job that a transaction has read, and locked where several transactions can write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadJob<'a> {
    pub(crate) before: &'a JobRow,
    /// The current job of its cache key, if [`may_become_current`] says that it is needed.
    pub(crate) current: Option<&'a JobRow>,
}

impl<'a> ReadJob<'a> {
    /// A job whose event cannot complete it.
    pub(crate) const fn only(before: &'a JobRow) -> Self {
        Self { before, current: None }
    }
}

/// An event, with the output that came with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventWithOutput<'a> {
    pub(crate) event: &'a Event,
    pub(crate) runner_output: &'a RunnerOutput,
}

/// Whether the event may make the job the current one of its cache key, so that the present one must be read too. Most
/// jobs are the current one themselves.
pub(crate) const fn may_become_current(before: &JobRow, event: &Event) -> bool {
    !before.job.is_current && !before.job.has_ended() && matches!(event, Event::Complete { .. })
}

/// What to do about an event.
#[derive(Debug)]
pub(crate) enum EventPlan<'a> {
    /// Nothing is written; this is the outcome.
    Nothing(Box<EventOutcome>),
    /// This is written, in one transaction.
    Write(Box<WritePlan<'a>>),
}

impl EventPlan<'_> {
    fn nothing(outcome: EventOutcome) -> Self {
        Self::Nothing(Box::new(outcome))
    }
}

/// What is written for a changed job.
#[derive(Debug)]
pub(crate) struct WritePlan<'a> {
    pub(crate) before: &'a JobRow,
    /// The job as it is then.
    pub(crate) job: Job,
    pub(crate) row: JobColumns,
    pub(crate) status: StoredStatus,
    /// When it ended, in milliseconds since 1970.
    pub(crate) ended_at: Option<i64>,
    pub(crate) bytes: JobBytes,
    pub(crate) console: ConsoleWrite<'a>,
    /// The result or error; `None` when it stays as it is.
    pub(crate) output: Option<&'a RunnerOutput>,
    /// The job that is no longer the current one of the cache key.
    pub(crate) replaced: Option<&'a JobRow>,
    /// The webhook call that is added.
    pub(crate) webhook: Option<WebhookTrigger>,
    transition: Transition,
}

/// What becomes of a job's stored console output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsoleWrite<'a> {
    /// It stays as it is.
    Keep,
    /// It is deleted.
    Clear,
    /// It is deleted, and this text stored.
    Replace(&'a str),
    /// There is none; this text is stored.
    Begin(&'a str),
    /// This text is added at its end.
    Append(&'a str),
}

/// What follows from an event that happened to a job.
pub(crate) fn plan_event<'a>(
    read: ReadJob<'a>,
    happened: EventWithOutput<'a>,
    settings: &Settings,
    now: Timestamp,
) -> EventPlan<'a> {
    let ReadJob { before, current } = read;
    let EventWithOutput { event, runner_output } = happened;
    let mut job = before.job.clone();
    let transition = match job.handle(event, &settings.policy, now) {
        Ok(transition) => transition,
        Err(rejected) => return EventPlan::nothing(EventOutcome::Rejected(rejected, job)),
    };
    if transition == Transition::Unchanged {
        let unchanged = AppliedEvent { transition, job, ended_attempt: None };
        return EventPlan::nothing(EventOutcome::Applied(unchanged));
    }
    if transition == Transition::Completed && !before.job.is_current {
        job.update_current(current.map(|current| (&current.job, current.order_to(before))), now);
    }
    let (console, console_bytes) = console_write(before.bytes.console, transition, runner_output);
    let console_limit = i64::try_from(settings.limits.console_bytes).unwrap_or(i64::MAX);
    if runner_output.console.is_some() && console_bytes > console_limit {
        return EventPlan::nothing(EventOutcome::ConsoleFull);
    }
    let becomes_current = job.is_current && !before.job.is_current;
    let webhook = webhook_trigger(transition).filter(|_| settings.webhook_types.contains(&job.job_type));
    let mut plan = WritePlan::of_change(before, job, transition, now);
    plan.bytes.console = console_bytes;
    plan.console = console;
    if plan.job.has_ended() && (runner_output.result.is_some() || runner_output.error.is_some()) {
        plan.bytes.output = output_bytes(runner_output);
        plan.output = Some(runner_output);
    }
    plan.replaced = current.filter(|_| becomes_current);
    plan.webhook = webhook;
    EventPlan::Write(Box::new(plan))
}

impl<'a> WritePlan<'a> {
    /// Only the row of the job changes: a submission joined it as one more caller.
    pub(crate) fn of_join(before: &'a JobRow, job: Job, now: Timestamp) -> Self {
        Self::of_change(before, job, Transition::Unchanged, now)
    }

    fn of_change(before: &'a JobRow, job: Job, transition: Transition, now: Timestamp) -> Self {
        Self {
            before,
            row: JobColumns::from_job(&job, now),
            status: StoredStatus::of_job(&job, now),
            ended_at: job.has_ended().then(|| before.ended_at.unwrap_or_else(|| millis_of_time(now))),
            job,
            bytes: before.bytes,
            console: ConsoleWrite::Keep,
            output: None,
            replaced: None,
            webhook: None,
            transition,
        }
    }

    /// The outcome, once everything is written.
    pub(crate) fn into_outcome(self) -> EventOutcome {
        let ended_attempt = EndedAttempt::between(&self.before.job, &self.job);
        EventOutcome::Applied(AppliedEvent { transition: self.transition, job: self.job, ended_attempt })
    }
}

/// What becomes of a console of this size, and its size then. A new attempt begins with an empty console.
fn console_write(
    bytes: i64,
    transition: Transition,
    runner_output: &RunnerOutput,
) -> (ConsoleWrite<'_>, i64) {
    let begins_attempt = matches!(transition, Transition::Dispatched | Transition::Claimed);
    match &runner_output.console {
        Some(ConsoleUpdate::Replace(text) | ConsoleUpdate::Append(text)) if bytes == 0 => {
            (ConsoleWrite::Begin(text), length(text))
        }
        Some(ConsoleUpdate::Append(text)) if !begins_attempt => {
            (ConsoleWrite::Append(text), bytes.saturating_add(length(text)))
        }
        Some(ConsoleUpdate::Replace(text) | ConsoleUpdate::Append(text)) => {
            (ConsoleWrite::Replace(text), length(text))
        }
        None if begins_attempt && bytes > 0 => (ConsoleWrite::Clear, 0),
        None => (ConsoleWrite::Keep, bytes),
    }
}

fn output_bytes(runner_output: &RunnerOutput) -> i64 {
    [&runner_output.result, &runner_output.error].into_iter().flatten().map(|text| length(text)).sum()
}

const fn webhook_trigger(transition: Transition) -> Option<WebhookTrigger> {
    match transition {
        Transition::Completed => Some(WebhookTrigger::Completed),
        Transition::Failed => Some(WebhookTrigger::Failed),
        Transition::Unchanged
        | Transition::Dispatched
        | Transition::Claimed
        | Transition::Heartbeat
        | Transition::Queued
        | Transition::CallerLeft
        | Transition::Expired => None,
    }
}

#[cfg(test)]
mod tests;
