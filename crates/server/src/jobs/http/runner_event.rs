//! Reads a runner's report about a job, applies it to the job, and builds the response.

use hyper::StatusCode;
use pilotlight_core::ids::RunnerId;
use pilotlight_core::job::{Event, JobId, LeaseClaim, LeaseId, Progress, Rejected};
use pilotlight_store::{ConsoleUpdate, EventOutcome, RunnerOutput};
use pilotlight_wire::runner::JobReportResponse;
use serde_json::value::RawValue;

use crate::http::error::{ApiError, Reply};
use crate::http::fields::{Field, MAX_SAFE_INTEGER};
use crate::jobs::http::JobsState;
use crate::jobs::http::content_limits::ContentLimits;

/// The error text when no job has the requested id.
pub(super) const UNKNOWN_JOB: &str = "there is no such job; it may have been deleted";

/// A report of a runner about a job.
#[derive(Debug)]
pub(super) struct RunnerEvent {
    /// The job; `None` when the text in the path is not a job id.
    pub id: Option<JobId>,
    /// The event for the job's state machine.
    pub event: Event,
    /// The console output, result or error that was sent with the report.
    pub payload: RunnerOutput,
    /// Whether the report names a lease.
    pub lease_presence: LeasePresence,
}

/// Whether a report names a lease. It decides the status of a rejection: 409 with a lease, 400 without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeasePresence {
    /// The report names a lease; the client knows what a 409 means.
    Present,
    /// The report names no lease; the first clients of this protocol do not know leases.
    Absent,
}

/// The runner and the lease that the report names.
///
/// # Errors
/// The lease is not a whole number.
pub(super) fn lease_claim(
    runner: RunnerId,
    lease: Option<&RawValue>,
) -> Result<(LeaseClaim, LeasePresence), ApiError> {
    let lease = Field::new("lease", lease).integer(1..=MAX_SAFE_INTEGER)?.map(LeaseId::new);
    let lease_presence = if lease.is_some() { LeasePresence::Present } else { LeasePresence::Absent };
    Ok((LeaseClaim { runner, lease }, lease_presence))
}

/// The progress in a heartbeat.
///
/// # Errors
/// One of the two numbers is not a whole number, or is given without the other.
pub(super) fn progress(
    current: Option<&RawValue>,
    total: Option<&RawValue>,
) -> Result<Option<Progress>, ApiError> {
    let current = Field::new("progress_current", current);
    let total = Field::new("progress_total", total);
    match (current.integer(0..=MAX_SAFE_INTEGER)?, total.integer(0..=MAX_SAFE_INTEGER)?) {
        (Some(current), Some(total)) => Ok(Some(Progress { current, total })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(total.invalid("is missing, but progress_current is given")),
        (None, Some(_)) => Err(current.invalid("is missing, but progress_total is given")),
    }
}

/// The console output of the job's command: the whole output, or an addition to it.
///
/// # Errors
/// A value is not a string, is too long, or both fields are given.
pub(super) fn console(
    full: Option<&RawValue>,
    appended: Option<&RawValue>,
    content_limits: ContentLimits,
) -> Result<Option<ConsoleUpdate>, ApiError> {
    let appended_field = Field::new("console_append", appended);
    let full = Field::new("console_output", full).lossy_text(content_limits.console)?;
    match (full, appended_field.lossy_text(content_limits.console)?) {
        (Some(_), Some(_)) => {
            Err(appended_field.invalid("is given together with console_output; send only one of them"))
        }
        (Some(full), None) => Ok(Some(ConsoleUpdate::Replace(full))),
        (None, Some(appended)) => Ok(Some(ConsoleUpdate::Append(appended))),
        (None, None) => Ok(None),
    }
}

/// Applies the event to the job and returns the response for the runner.
///
/// # Errors
/// The store failed, or the console output would become too long.
pub(super) async fn apply(state: &JobsState, runner_event: RunnerEvent) -> Result<Reply, ApiError> {
    let RunnerEvent { id, event, payload, lease_presence } = runner_event;
    let Some(id) = id else { return Ok(rejected(lease_presence, UNKNOWN_JOB)) };
    let is_heartbeat = matches!(event, Event::Heartbeat { .. });
    match state.jobs.apply_event(id, event, payload).await? {
        EventOutcome::Applied(_) => Ok(accepted("the report is stored", None)),
        // A heartbeat of a cancelled job is not an error of the runner, so the status is 200; the runner only stops.
        EventOutcome::Rejected(Rejected::Cancelled, _) if is_heartbeat => {
            Ok(accepted("the job was cancelled; stop executing it", Some(true)))
        }
        EventOutcome::Rejected(why, _) => Ok(rejected(lease_presence, &why.to_string())),
        EventOutcome::ConsoleFull => {
            let at_most = state.content_limits.console;
            let why = format!("console_append would make the console output longer than {at_most} bytes");
            Err(ApiError::bad_request(why))
        }
        EventOutcome::UnknownJob => Ok(rejected(lease_presence, UNKNOWN_JOB)),
    }
}

fn accepted(message: &str, cancelled: Option<bool>) -> Reply {
    Reply::json(StatusCode::OK, &JobReportResponse { success: true, message: message.to_owned(), cancelled })
}

fn rejected(lease_presence: LeasePresence, why: &str) -> Reply {
    let status = match lease_presence {
        LeasePresence::Present => StatusCode::CONFLICT,
        LeasePresence::Absent => StatusCode::BAD_REQUEST,
    };
    Reply::json(status, &JobReportResponse { success: false, message: why.to_owned(), cancelled: None })
}
