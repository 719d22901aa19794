//! Encodes an offer as a span in OTLP's JSON encoding: ids are hexadecimal, times are strings of nanoseconds, and span
//! kinds have the numbers of `opentelemetry/proto/trace/v1`. `docs/protocols/traces.md` lists the attributes and
//! events.

use std::time::Duration;

use pilotlight_core::time::Moment;
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::telemetry::json_line::outcome_labels;
use crate::telemetry::offer_event::{DispatchRecord, OfferReport};

/// The number of `SPAN_KIND_SERVER`.
const SPAN_KIND_SERVER: u8 = 2;

/// The request body of one export.
pub(super) fn request<'a>(offers: impl Iterator<Item = &'a OfferReport>, clock: Clock) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let spans: Vec<_> = offers.filter_map(|offer| span(offer, clock)).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": [text("service.name", "pilotlight"), text("service.version", version)] },
        "scopeSpans": [{ "scope": { "name": "pilotlight", "version": version }, "spans": spans }],
    }] })
}

/// The span of an offer; `None` when the offer has no span to export.
fn span(offer: &OfferReport, clock: Clock) -> Option<Value> {
    let trace = offer.trace?;
    let span = trace.span?;
    let times = Times { began: offer.began, epoch: clock.epoch(offer.began) };
    Some(json!({
        "traceId": trace.id.to_string(),
        "spanId": span.to_string(),
        "parentSpanId": trace.parent.map(|parent| parent.to_string()).unwrap_or_default(),
        "name": "warm_start.offer",
        "kind": SPAN_KIND_SERVER,
        "startTimeUnixNano": times.nanos(offer.began),
        "endTimeUnixNano": times.nanos(offer.ended),
        "attributes": attributes(offer),
        "events": offer.dispatches.iter().flat_map(|dispatch| events(dispatch, &times)).collect::<Vec<_>>(),
    }))
}

fn attributes(offer: &OfferReport) -> Vec<Value> {
    let (outcome, delivery) = outcome_labels(offer.outcome);
    let runner = offer.taker.as_ref().map(|taker| taker.runner.id.as_str());
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

fn events(dispatch: &DispatchRecord, times: &Times) -> impl Iterator<Item = Value> {
    let runner = || text("runner", dispatch.runner.as_str());
    let began = json!({
        "timeUnixNano": times.nanos(dispatch.at), "name": "dispatch", "attributes": [runner()],
    });
    let failed = dispatch.failed.map(|(at, why)| {
        json!({
            "timeUnixNano": times.nanos(at),
            "name": "dispatch failed",
            "attributes": [runner(), text("why", why.as_str())],
        })
    });
    std::iter::once(began).chain(failed)
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn number(key: &str, value: usize) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

/// Converts moments to wall-clock time. The wall clock is read once per span, so that the times within a span keep
/// their exact distances.
struct Times {
    began: Moment,
    epoch: Duration,
}

impl Times {
    fn nanos(&self, at: Moment) -> String {
        (self.epoch + at.since(self.began)).as_nanos().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::json_line::tests::{cold, warm};

    #[test]
    fn an_offer_is_a_span_with_its_parent_its_times_and_an_event_for_each_dispatch() {
        let request = request([&warm(), &cold()].into_iter(), Clock::start());
        let spans = &request["resourceSpans"][0]["scopeSpans"][0]["spans"];
        assert_eq!(
            spans.as_array().map(Vec::len),
            Some(1),
            "an offer without a span of its own is not exported"
        );
        let span = &spans[0];
        assert_eq!(span["traceId"], "ab".repeat(16));
        assert_eq!(
            (&span["parentSpanId"], &span["spanId"]),
            (&json!("01".repeat(8)), &json!("02".repeat(8)))
        );
        assert_eq!((&span["name"], &span["kind"]), (&json!("warm_start.offer"), &json!(2)));
        let nanos = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
        let began = nanos(&span["startTimeUnixNano"]);
        assert_eq!(nanos(&span["endTimeUnixNano"]) - began, 1_500_000);
        let events: Vec<_> = span["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| (event["name"].as_str().unwrap(), nanos(&event["timeUnixNano"]) - began))
            .collect();
        assert_eq!(events, [("dispatch", 100_000), ("dispatch failed", 200_000), ("dispatch", 300_000)]);
        let attribute = |key: &str| {
            let all = span["attributes"].as_array().unwrap();
            all.iter().find(|one| one["key"] == key).unwrap_or_else(|| panic!("no {key}"))["value"].clone()
        };
        assert_eq!(attribute("run"), json!({ "stringValue": "run_1" }));
        assert_eq!(attribute("outcome"), json!({ "stringValue": "warm" }));
        assert_eq!(attribute("dispatches"), json!({ "intValue": "2" }));
    }
}
