//! The events that the offer log and the trace exporter get: a report of each offer when it ends, and once more if the
//! runner turns out never to have read the run. They contain ids and must never contain a run's message.

use std::sync::Arc;

use pilotlight_core::delivery::OfferOutcome;
use pilotlight_core::history::AssignedRunner;
use pilotlight_core::ids::{RunId, RunnerId};
use pilotlight_core::pool::PoolKey;
use pilotlight_core::time::Moment;
use pilotlight_core::trace_context::{SpanId, TraceId, TraceParent};

/// An event about an offer.
#[derive(Debug, Clone)]
pub(crate) enum OfferEvent {
    /// The offer ended.
    Ended(Arc<OfferReport>),
    /// After the offer ended, at this moment, it turned out that the runner never read the run.
    Unread(Arc<OfferReport>, Moment),
}

impl OfferEvent {
    /// Whether a span is exported for this event. A span is exported when its offer ends, and cannot be changed
    /// afterwards, so [`Self::Unread`] exports none.
    #[must_use]
    pub(crate) fn has_span(&self) -> bool {
        match self {
            Self::Ended(offer) => offer.trace.is_some_and(|trace| trace.span.is_some()),
            Self::Unread(..) => false,
        }
    }
}

/// The report of an ended offer.
#[derive(Debug)]
pub(crate) struct OfferReport {
    /// The id of the run.
    pub run: RunId,
    /// The key of the pool whose polls fit the run.
    pub key: PoolKey,
    /// When the offer arrived.
    pub began: Moment,
    /// When the offer ended.
    pub ended: Moment,
    /// How the offer ended.
    pub outcome: OfferEnd,
    /// The dispatches of the run, in order.
    pub dispatches: Vec<DispatchRecord>,
    /// The runner that got the run; `None` when none did.
    pub assigned: Option<AssignedRunner>,
    /// The length of the run's message in bytes.
    pub bytes: usize,
    /// The trace context; `None` when the offer belongs to no trace.
    pub trace: Option<SpanContext>,
}

/// How an offer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfferEnd {
    /// The service sent the supervisor this answer.
    Answered(OfferOutcome),
    /// The supervisor closed its connection before the service answered.
    Unanswered,
}

/// One dispatch of an offer.
#[derive(Debug)]
pub(crate) struct DispatchRecord {
    /// When the dispatch began.
    pub at: Moment,
    /// The runner whose poll was selected.
    pub runner: RunnerId,
    /// When and why the dispatch failed; `None` when it did not.
    pub failed: Option<(Moment, FailureReason)>,
}

/// Why a dispatch failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailureReason {
    /// The runner's connection ended before every byte was acknowledged.
    Ended,
    /// The kernel of the runner's machine did not acknowledge every byte in time.
    Deadline,
}

impl FailureReason {
    /// The name in logs and traces.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Deadline => "deadline",
        }
    }
}

/// The trace context of an offer or of a job's submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpanContext {
    /// The id of the trace.
    pub id: TraceId,
    /// The sender's span, when it sent a `traceparent`.
    pub parent: Option<SpanId>,
    /// The own span of the offer or submission, when it is exported.
    pub span: Option<SpanId>,
}

impl SpanContext {
    /// The trace context of an offer, or of a job's submission, while spans are exported. It has a span of its own,
    /// except when the sender's `traceparent` says that the trace is not sampled. `None` when the random trace id is
    /// all zeros, which is not a valid id (one case of 2^128).
    #[must_use]
    pub(crate) fn exported(parent: Option<TraceParent>) -> Option<Self> {
        match parent {
            Some(TraceParent { trace, span, is_sampled }) => {
                Some(Self { id: trace, parent: Some(span), span: is_sampled.then(new_span).flatten() })
            }
            None => Some(Self { id: TraceId::new(random())?, parent: None, span: new_span() }),
        }
    }
}

/// A random span id. `None` when it is all zeros, which is not a valid id (one case of 2^64).
fn new_span() -> Option<SpanId> {
    SpanId::new(random())
}

fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the system has random bytes once it runs");
    bytes
}
