//! Builds the spans of the OpenTelemetry crates from what was recorded of offers and jobs.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    Event, Link, SpanContext as OtelContext, SpanId as OtelSpanId, SpanKind, Status, TraceFlags,
    TraceId as OtelTraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use pilotlight_core::job::{JobId, LeaseId};
use pilotlight_core::time::{Moment, Timestamp};
use pilotlight_core::trace_context::{SpanId, TraceId};
use pilotlight_net::clock::Clock;

use crate::telemetry::job_span::{AttemptSpan, JobSpan, SubmissionSpan};
use crate::telemetry::json_line::outcome_labels;
use crate::telemetry::offer_event::{DispatchRecord, OfferReport, SpanContext};

/// What becomes a span.
#[derive(Debug, Clone)]
pub(super) enum FinishedSpan {
    /// An offer that has a span.
    Offer(Arc<OfferReport>),
    /// A span of a job.
    Job(JobSpan),
}

/// The span to export; `None` when it is not to be exported.
pub(super) fn span_data(span: &FinishedSpan, clock: Clock) -> Option<SpanData> {
    match span {
        FinishedSpan::Offer(offer) => offer_span(offer, clock),
        FinishedSpan::Job(JobSpan::Submission(submission)) => submission_span(submission, clock),
        FinishedSpan::Job(JobSpan::Attempt(attempt)) => attempt_span(attempt),
    }
}

fn offer_span(offer: &OfferReport, clock: Clock) -> Option<SpanData> {
    let times = Times::new(offer.began, clock);
    let mut events = SpanEvents::default();
    events.events = offer.dispatches.iter().flat_map(|dispatch| dispatch_events(dispatch, &times)).collect();
    Some(SpanData {
        name: "warm_start.offer".into(),
        start_time: times.at(offer.began),
        end_time: times.at(offer.ended),
        attributes: offer_attributes(offer),
        events,
        ..server_span(offer.trace?)?
    })
}

fn offer_attributes(offer: &OfferReport) -> Vec<KeyValue> {
    let (outcome, delivery) = outcome_labels(offer.outcome);
    let runner = offer.assigned.as_ref().map(|assigned| assigned.runner.id.as_str());
    let required = [
        text("run", offer.run.as_str()),
        text("deployment", offer.key.deployment.as_str()),
        text("version", offer.key.version.as_str()),
        text("outcome", outcome),
        number("dispatches", offer.dispatches.len()),
        number("bytes", offer.bytes),
    ];
    let optional = [("delivery", delivery), ("runner", runner)];
    let optional = optional.into_iter().filter_map(|(key, value)| Some(text(key, value?)));
    required.into_iter().chain(optional).collect()
}

fn dispatch_events(dispatch: &DispatchRecord, times: &Times) -> impl Iterator<Item = Event> {
    let runner = || text("runner", dispatch.runner.as_str());
    let began = Event::new("dispatch", times.at(dispatch.at), vec![runner()], 0);
    let failed = dispatch.failed.map(|(at, why)| {
        Event::new("dispatch failed", times.at(at), vec![runner(), text("why", why.as_str())], 0)
    });
    std::iter::once(began).chain(failed)
}

fn submission_span(submission: &SubmissionSpan, clock: Clock) -> Option<SpanData> {
    let times = Times::new(submission.began, clock);
    let mut attributes = vec![text("outcome", submission.outcome.as_str())];
    let mut links = SpanLinks::default();
    if let Some(job) = &submission.job {
        attributes.extend(job_attributes(job.id, job.job_type.as_str()));
        let attempt = job.lease.and_then(|lease| attempt_context(job.id, lease));
        links.links.extend(attempt.map(Link::with_context));
    }
    Some(SpanData {
        name: "job.submit".into(),
        start_time: times.at(submission.began),
        end_time: times.at(submission.ended),
        attributes,
        links,
        ..server_span(submission.context)?
    })
}

fn attempt_span(span: &AttemptSpan) -> Option<SpanData> {
    let AttemptSpan { job, job_type, attempt } = span;
    let own = [
        number("attempt", attempt.number as usize),
        text("outcome", attempt.outcome.as_str()),
        text("runner", attempt.runner.as_str()),
    ];
    Some(SpanData {
        name: "job".into(),
        start_time: system_time(attempt.began_at),
        end_time: system_time(attempt.ended_at),
        attributes: job_attributes(*job, job_type.as_str()).into_iter().chain(own).collect(),
        ..span_in(attempt_context(*job, attempt.lease)?, None, SpanKind::Internal)
    })
}

fn job_attributes(id: JobId, job_type: &str) -> [KeyValue; 2] {
    [text("job.id", &id.to_string()), text("job.type", job_type)]
}

fn attempt_context(job: JobId, lease: LeaseId) -> Option<OtelContext> {
    Some(sampled_context(job.trace_id()?, job.attempt_span_id(lease)?))
}

/// A span of kind server, without name, times and attributes. `None` when it is not to be exported.
fn server_span(context: SpanContext) -> Option<SpanData> {
    Some(span_in(sampled_context(context.id, context.span?), context.parent, SpanKind::Server))
}

fn span_in(span_context: OtelContext, parent: Option<SpanId>, span_kind: SpanKind) -> SpanData {
    let parent_id = parent.map_or(OtelSpanId::INVALID, |parent| OtelSpanId::from_bytes(parent.to_bytes()));
    let scope = InstrumentationScope::builder("pilotlight").with_version(env!("CARGO_PKG_VERSION"));
    SpanData {
        span_context,
        parent_span_id: parent_id,
        parent_span_is_remote: parent.is_some(),
        span_kind,
        name: "".into(),
        start_time: UNIX_EPOCH,
        end_time: UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: Status::Unset,
        instrumentation_scope: scope.build(),
    }
}

fn sampled_context(trace: TraceId, span: SpanId) -> OtelContext {
    let (trace, span) = (OtelTraceId::from_bytes(trace.to_bytes()), OtelSpanId::from_bytes(span.to_bytes()));
    OtelContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default())
}

fn text(key: &'static str, value: &str) -> KeyValue {
    KeyValue::new(key, value.to_owned())
}

fn number(key: &'static str, value: usize) -> KeyValue {
    KeyValue::new(key, i64::try_from(value).unwrap_or(i64::MAX))
}

fn system_time(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(time.as_millis())
}

/// The wall clock is asked once for a span, so that all in it keeps its distance.
struct Times {
    began: Moment,
    began_at: SystemTime,
}

impl Times {
    fn new(began: Moment, clock: Clock) -> Self {
        Self { began, began_at: UNIX_EPOCH + clock.epoch(began) }
    }

    fn at(&self, moment: Moment) -> SystemTime {
        self.began_at + moment.since(self.began)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::Value;
    use pilotlight_core::ids::{JobType, RunnerId};
    use pilotlight_core::job::{AttemptOutcome, EndedAttempt};

    use super::*;
    use crate::telemetry::job_span::{SubmissionEnd, SubmittedJob};
    use crate::telemetry::json_line::tests::{cold, warm};

    fn attribute(span: &SpanData, key: &str) -> Value {
        let found = span.attributes.iter().find(|one| one.key.as_str() == key);
        found.unwrap_or_else(|| panic!("no {key}")).value.clone()
    }

    #[test]
    fn an_offer_is_a_span_with_its_parent_its_times_and_an_event_for_each_dispatch() {
        let span = |offer| span_data(&FinishedSpan::Offer(Arc::new(offer)), Clock::start());
        assert!(span(cold()).is_none(), "what has no span of ours is not exported");
        let span = span(warm()).unwrap();
        assert_eq!(span.span_context.trace_id().to_string(), "ab".repeat(16));
        assert_eq!(
            (span.parent_span_id.to_string(), span.span_context.span_id().to_string()),
            ("01".repeat(8), "02".repeat(8))
        );
        assert_eq!((span.name.as_ref(), &span.span_kind), ("warm_start.offer", &SpanKind::Server));
        let nanos = |time: SystemTime| time.duration_since(span.start_time).unwrap().as_nanos();
        assert_eq!(nanos(span.end_time), 1_500_000);
        let events: Vec<_> =
            span.events.iter().map(|event| (event.name.as_ref(), nanos(event.timestamp))).collect();
        assert_eq!(events, [("dispatch", 100_000), ("dispatch failed", 200_000), ("dispatch", 300_000)]);
        assert_eq!(attribute(&span, "run"), "run_1".into());
        assert_eq!(attribute(&span, "outcome"), "warm".into());
        assert_eq!(attribute(&span, "dispatches"), 2.into());
    }

    #[test]
    fn a_submission_links_to_the_span_of_the_jobs_attempt() {
        let (id, job_type) = (JobId::from_bytes([7; 16]), JobType::parse("render").unwrap());
        let lease = LeaseId::new(1);
        let submission = SubmissionSpan {
            context: SpanContext {
                id: TraceId::new([1; 16]).unwrap(),
                parent: SpanId::new([2; 8]),
                span: SpanId::new([3; 8]),
            },
            began: Moment::from_millis(1),
            ended: Moment::from_millis(3),
            job: Some(SubmittedJob { id, job_type: job_type.clone(), lease: Some(lease) }),
            outcome: SubmissionEnd::New,
        };
        let attempt = EndedAttempt {
            number: 1,
            lease,
            runner: RunnerId::parse("r").unwrap(),
            began_at: Timestamp::from_millis(5),
            ended_at: Timestamp::from_millis(9),
            outcome: AttemptOutcome::Completed,
        };
        let span = |span| span_data(&FinishedSpan::Job(span), Clock::start()).unwrap();
        let submitted = span(JobSpan::Submission(submission));
        let attempt = span(JobSpan::Attempt(AttemptSpan { job: id, job_type, attempt }));
        assert_eq!((submitted.name.as_ref(), &submitted.span_kind), ("job.submit", &SpanKind::Server));
        assert_eq!(submitted.parent_span_id.to_string(), "02".repeat(8));
        assert_eq!(attribute(&submitted, "outcome"), "new".into());
        let [link] = &submitted.links[..] else { panic!("{:?}", submitted.links) };
        assert_eq!(link.span_context, attempt.span_context);
        assert_eq!((attempt.name.as_ref(), attempt.parent_span_id), ("job", OtelSpanId::INVALID));
        assert_eq!(attempt.end_time, attempt.start_time + Duration::from_millis(4));
        for (key, value) in [
            ("job.id", id.to_string().into()),
            ("job.type", "render".into()),
            ("attempt", 1.into()),
            ("outcome", "completed".into()),
            ("runner", "r".into()),
        ] {
            assert_eq!(attribute(&attempt, key), value, "{key}");
        }
    }
}
