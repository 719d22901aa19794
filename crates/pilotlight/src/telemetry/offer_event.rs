//! What is told about offers, one by one: their whole course, once it has ended. It holds ids, never payloads.

use std::sync::Arc;

use pilotlight_core::delivery::OfferOutcome;
use pilotlight_core::history::AssignedRunner;
use pilotlight_core::ids::{RunId, RunnerId};
use pilotlight_core::pool::PoolKey;
use pilotlight_core::time::Moment;
use pilotlight_core::trace_context::{SpanId, TraceId};

/// Something that was seen.
#[derive(Debug, Clone)]
pub enum OfferEvent {
    /// An offer ended.
    Ended(Arc<OfferReport>),
    /// It turned out that nobody read its run.
    Unread(Arc<OfferReport>, Moment),
}

impl OfferEvent {
    /// Whether it is a span to be exported. One that was exported does not change when its run was not read.
    #[must_use]
    pub fn has_span(&self) -> bool {
        match self {
            Self::Ended(offer) => offer.trace.is_some_and(|trace| trace.span.is_some()),
            Self::Unread(..) => false,
        }
    }
}

/// An offer that has ended.
#[derive(Debug)]
pub struct OfferReport {
    /// The run.
    pub run: RunId,
    /// What fits it.
    pub key: PoolKey,
    /// When it came.
    pub began: Moment,
    /// When it ended.
    pub ended: Moment,
    /// How.
    pub outcome: OfferEnd,
    /// The polls that it was dispatched to.
    pub dispatches: Vec<DispatchRecord>,
    /// The runner that got the run.
    pub taker: Option<AssignedRunner>,
    /// Bytes of its message.
    pub bytes: usize,
    /// Its place among the traces.
    pub trace: Option<SpanContext>,
}

/// How an offer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferEnd {
    /// With this answer.
    Answered(OfferOutcome),
    /// Its supervisor left before.
    Unanswered,
}

/// One dispatch of an offer.
#[derive(Debug)]
pub struct DispatchRecord {
    /// When.
    pub at: Moment,
    /// To whom.
    pub runner: RunnerId,
    /// When and why it failed.
    pub failed: Option<(Moment, FailureReason)>,
}

/// Why a dispatch failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReason {
    /// The connection ended.
    Ended,
    /// Nothing was acknowledged until the deadline.
    Deadline,
}

impl FailureReason {
    /// As logs and traces call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Deadline => "deadline",
        }
    }
}

/// An offer's place among the traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    /// The trace.
    pub id: TraceId,
    /// The supervisor's step in it.
    pub parent: Option<SpanId>,
    /// Our own, when it is to be exported.
    pub span: Option<SpanId>,
}
