//! A runner's word about a job, and what the runner is told.

use hyper::StatusCode;
use pilotlight_core::ids::RunnerId;
use pilotlight_core::job::{Event, JobId, Lease, Progress, Refused, Word};
use pilotlight_store::{Console, Payload, Said};
use pilotlight_wire::runner::Heard;
use serde_json::value::RawValue;

use super::super::error::{Refusal, Reply};
use super::super::fields::{EXACT, Field};
use super::super::router::Handles;
use super::super::sizes::Sizes;

/// No job has the id that is asked for.
pub const UNKNOWN: &str = "there is no such job; it may have been deleted";

/// Something that a runner said.
#[derive(Debug)]
pub struct Spoken {
    /// About which job; none when no job can have the id.
    pub id: Option<JobId>,
    /// What.
    pub event: Event,
    /// What came along.
    pub payload: Payload,
    /// Whether it came with a lease.
    pub fence: Fence,
}

/// Whether a word came with a lease: its runner then knows what a 409 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// It did.
    Lease,
    /// It did not; the first clients of this protocol know none.
    None,
}

/// Whose word it is.
///
/// # Errors
/// The lease is no number.
pub fn of(runner: RunnerId, lease: Option<&RawValue>) -> Result<(Word, Fence), Refusal> {
    let lease = Field::new("lease", lease).whole(1..=EXACT)?.map(Lease::new);
    let fence = if lease.is_some() { Fence::Lease } else { Fence::None };
    Ok((Word { runner, lease }, fence))
}

/// How far the runner is.
///
/// # Errors
/// One of the numbers is none, or is there without the other.
pub fn progress(current: Option<&RawValue>, total: Option<&RawValue>) -> Result<Option<Progress>, Refusal> {
    let current = Field::new("progress_current", current);
    let total = Field::new("progress_total", total);
    match (current.whole(0..=EXACT)?, total.whole(0..=EXACT)?) {
        (Some(current), Some(total)) => Ok(Some(Progress { current, total })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(total.bad("is missing, while progress_current is there")),
        (None, Some(_)) => Err(current.bad("is missing, while progress_total is there")),
    }
}

/// What the job's command wrote.
///
/// # Errors
/// It is no text, is too long, or came in both ways.
pub fn console(
    whole: Option<&RawValue>,
    piece: Option<&RawValue>,
    sizes: Sizes,
) -> Result<Option<Console>, Refusal> {
    let piece_field = Field::new("console_append", piece);
    let whole = Field::new("console_output", whole).prose(sizes.console)?;
    match (whole, piece_field.prose(sizes.console)?) {
        (Some(_), Some(_)) => Err(piece_field.bad("is there together with console_output; send one of them")),
        (Some(whole), None) => Ok(Some(Console::Whole(whole))),
        (None, Some(piece)) => Ok(Some(Console::Piece(piece))),
        (None, None) => Ok(None),
    }
}

/// Says it, and tells the runner what became of it.
///
/// # Errors
/// The store failed, or there is no room for more console output.
pub async fn say(handles: &Handles, spoken: Spoken) -> Result<Reply, Refusal> {
    let Spoken { id, event, payload, fence } = spoken;
    let Some(id) = id else { return Ok(refused(fence, UNKNOWN)) };
    let is_heartbeat = matches!(event, Event::Heartbeat { .. });
    match handles.jobs().say(id, event, payload).await? {
        Said::Taken(_) => Ok(heard("it is remembered", None)),
        // Its runner does nothing wrong; it only need not go on.
        Said::Refused(Refused::Cancelled, _) if is_heartbeat => {
            Ok(heard("the job was cancelled: nobody wants it any more", Some(true)))
        }
        Said::Refused(why, _) => Ok(refused(fence, &why.to_string())),
        Said::ConsoleFull => {
            let at_most = handles.sizes.console;
            let why = format!("console_append would make the console output longer than {at_most} bytes");
            Err(Refusal::bad_request(why))
        }
        Said::Unknown => Ok(refused(fence, UNKNOWN)),
    }
}

fn heard(message: &str, cancelled: Option<bool>) -> Reply {
    Reply::json(StatusCode::OK, &Heard { success: true, message: message.to_owned(), cancelled })
}

fn refused(fence: Fence, why: &str) -> Reply {
    let status = match fence {
        Fence::Lease => StatusCode::CONFLICT,
        Fence::None => StatusCode::BAD_REQUEST,
    };
    Reply::json(status, &Heard { success: false, message: why.to_owned(), cancelled: None })
}
