//! A run as a supervisor offers it: the decoded request, with the message that its runner gets.

use bytes::Bytes;
use pilotlight_core::ids::RunId;
use pilotlight_core::pool::PoolKey;
use pilotlight_core::trace_context::TraceParent;

/// A run that is offered to runners.
#[derive(Debug, Clone)]
pub struct Run {
    /// The id that its supervisor gave it.
    pub id: RunId,
    /// Its pool: which polls fit it.
    pub key: PoolKey,
    /// The head of the response, for polls whose response is written directly to their connection.
    pub head: Bytes,
    /// The message, passed on unchanged.
    pub message: Bytes,
    /// The trace context of the supervisor's request.
    pub trace: Option<TraceParent>,
}
