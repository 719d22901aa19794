//! A runner's word about a job, and what the runner is told.

use hyper::StatusCode;
use pilotlight_core::ids::RunnerId;
use pilotlight_core::job::{Event, JobId, LeaseClaim, LeaseId, Progress, Rejected};
use pilotlight_store::{ConsoleUpdate, EventOutcome, RunnerOutput};
use pilotlight_wire::runner::JobReportResponse;
use serde_json::value::RawValue;

use super::super::body_limits::BodyLimits;
use super::super::error::{ApiError, Reply};
use super::super::fields::{Field, MAX_SAFE_INTEGER};
use super::super::router::HttpState;

/// No job has the id that is asked for.
pub const UNKNOWN_JOB: &str = "there is no such job; it may have been deleted";

/// Something that a runner said.
#[derive(Debug)]
pub struct RunnerEvent {
    /// About which job; none when no job can have the id.
    pub id: Option<JobId>,
    /// What.
    pub event: Event,
    /// What came along.
    pub payload: RunnerOutput,
    /// Whether it came with a lease.
    pub lease_presence: LeasePresence,
}

/// Whether a word came with a lease: its runner then knows what a 409 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeasePresence {
    /// It did.
    Present,
    /// It did not; the first clients of this protocol know none.
    Absent,
}

/// Whose word it is.
///
/// # Errors
/// The lease is no number.
pub fn lease_claim(
    runner: RunnerId,
    lease: Option<&RawValue>,
) -> Result<(LeaseClaim, LeasePresence), ApiError> {
    let lease = Field::new("lease", lease).integer(1..=MAX_SAFE_INTEGER)?.map(LeaseId::new);
    let lease_presence = if lease.is_some() { LeasePresence::Present } else { LeasePresence::Absent };
    Ok((LeaseClaim { runner, lease }, lease_presence))
}

/// How far the runner is.
///
/// # Errors
/// One of the numbers is none, or is there without the other.
pub fn progress(current: Option<&RawValue>, total: Option<&RawValue>) -> Result<Option<Progress>, ApiError> {
    let current = Field::new("progress_current", current);
    let total = Field::new("progress_total", total);
    match (current.integer(0..=MAX_SAFE_INTEGER)?, total.integer(0..=MAX_SAFE_INTEGER)?) {
        (Some(current), Some(total)) => Ok(Some(Progress { current, total })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(total.invalid("is missing, while progress_current is there")),
        (None, Some(_)) => Err(current.invalid("is missing, while progress_total is there")),
    }
}

/// What the job's command wrote.
///
/// # Errors
/// It is no text, is too long, or came in both ways.
pub fn console(
    full: Option<&RawValue>,
    appended: Option<&RawValue>,
    body_limits: BodyLimits,
) -> Result<Option<ConsoleUpdate>, ApiError> {
    let appended_field = Field::new("console_append", appended);
    let full = Field::new("console_output", full).lossy_text(body_limits.console)?;
    match (full, appended_field.lossy_text(body_limits.console)?) {
        (Some(_), Some(_)) => {
            Err(appended_field.invalid("is there together with console_output; send one of them"))
        }
        (Some(full), None) => Ok(Some(ConsoleUpdate::Replace(full))),
        (None, Some(appended)) => Ok(Some(ConsoleUpdate::Append(appended))),
        (None, None) => Ok(None),
    }
}

/// Says it, and tells the runner what became of it.
///
/// # Errors
/// The store failed, or there is no room for more console output.
pub async fn apply(state: &HttpState, runner_event: RunnerEvent) -> Result<Reply, ApiError> {
    let RunnerEvent { id, event, payload, lease_presence } = runner_event;
    let Some(id) = id else { return Ok(rejected(lease_presence, UNKNOWN_JOB)) };
    let is_heartbeat = matches!(event, Event::Heartbeat { .. });
    match state.jobs().apply_event(id, event, payload).await? {
        EventOutcome::Applied(_) => Ok(accepted("it is remembered", None)),
        // Its runner does nothing wrong; it only need not go on.
        EventOutcome::Rejected(Rejected::Cancelled, _) if is_heartbeat => {
            Ok(accepted("the job was cancelled: nobody wants it any more", Some(true)))
        }
        EventOutcome::Rejected(why, _) => Ok(rejected(lease_presence, &why.to_string())),
        EventOutcome::ConsoleFull => {
            let at_most = state.body_limits.console;
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
