//! The format of the offer log: one flat JSON object per line and event. Every line has every field, so that lines can
//! be loaded into a table.

use pilotlight_core::delivery::OfferOutcome;
use pilotlight_core::time::{micros, millis};
use pilotlight_net::clock::Clock;
use serde::Serialize;

use crate::telemetry::offer_event::{OfferEnd, OfferEvent, OfferReport};

/// The fields of a line, in their order. `docs/observability.md` describes them.
#[derive(Debug, Serialize)]
struct JsonLine<'a> {
    at_ms: u64,
    event: &'static str,
    run: &'a str,
    deployment: &'a str,
    version: &'a str,
    cpu: f64,
    memory: f64,
    outcome: &'static str,
    delivery: Option<&'static str>,
    dispatches: usize,
    took_us: u64,
    waited_ms: Option<u64>,
    runner: Option<&'a str>,
    worker: Option<&'a str>,
    bytes: usize,
    trace_id: Option<String>,
}

/// Appends the line of this event, with a line break.
pub(super) fn append(lines: &mut Vec<u8>, event: &OfferEvent, clock: Clock) {
    let line = match event {
        OfferEvent::Ended(offer) => JsonLine { at_ms: clock.epoch_ms(offer.ended), ..JsonLine::of(offer) },
        OfferEvent::Unread(offer, at) => JsonLine {
            at_ms: clock.epoch_ms(*at),
            event: "unread",
            delivery: Some("unread"),
            ..JsonLine::of(offer)
        },
    };
    serde_json::to_writer(&mut *lines, &line)
        .expect("all numbers are finite, and a vector accepts every write");
    lines.push(b'\n');
}

impl<'a> JsonLine<'a> {
    fn of(offer: &'a OfferReport) -> Self {
        let assigned = offer.assigned.as_ref();
        let (outcome, delivery) = outcome_labels(offer.outcome);
        Self {
            at_ms: 0,
            event: "offer",
            run: offer.run.as_str(),
            deployment: offer.key.deployment.as_str(),
            version: offer.key.version.as_str(),
            cpu: offer.key.cpu.value(),
            memory: offer.key.memory.value(),
            outcome,
            delivery,
            dispatches: offer.dispatches.len(),
            took_us: micros(offer.ended.since(offer.began)),
            waited_ms: assigned.map(|assigned| millis(assigned.waited)),
            runner: assigned.map(|assigned| assigned.runner.id.as_str()),
            worker: assigned.map(|assigned| assigned.runner.worker.as_str()),
            bytes: offer.bytes,
            trace_id: offer.trace.map(|trace| trace.id.to_string()),
        }
    }
}

/// The names of the outcome and of the delivery, if any, in logs and traces.
pub(super) const fn outcome_labels(outcome: OfferEnd) -> (&'static str, Option<&'static str>) {
    match outcome {
        OfferEnd::Answered(OfferOutcome::Warm(delivery)) => ("warm", Some(delivery.as_str())),
        OfferEnd::Answered(OfferOutcome::Cold) => ("cold", None),
        OfferEnd::Unanswered => ("unanswered", None),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use pilotlight_core::delivery::Delivery;
    use pilotlight_core::history::AssignedRunner;
    use pilotlight_core::ids::{Amount, DeploymentId, RunId, Runner, RunnerId, Version, WorkerName};
    use pilotlight_core::pool::PoolKey;
    use pilotlight_core::time::Moment;
    use pilotlight_core::trace_context::{SpanId, TraceId};

    use super::*;
    use crate::telemetry::offer_event::{DispatchRecord, FailureReason, SpanContext};

    /// A cold offer of `run_1` that took 1,500 µs.
    pub(in super::super) fn cold() -> OfferReport {
        OfferReport {
            run: RunId::parse("run_1").unwrap(),
            key: PoolKey {
                deployment: DeploymentId::parse("dep \"1\"").unwrap(),
                version: Version::parse("20240101.1").unwrap(),
                cpu: Amount::new(0.5).unwrap(),
                memory: Amount::new(1.0).unwrap(),
            },
            began: Moment::from_micros(1000),
            ended: Moment::from_micros(2500),
            outcome: OfferEnd::Answered(OfferOutcome::Cold),
            dispatches: Vec::new(),
            assigned: None,
            bytes: 1234,
            trace: None,
        }
    }

    /// The same offer, answered warm: the dispatch to `runner-1` failed, and `runner-2` got the run.
    pub(in super::super) fn warm() -> OfferReport {
        let dispatch_record = |at, runner, failed| DispatchRecord {
            at: Moment::from_micros(at),
            runner: RunnerId::parse(runner).unwrap(),
            failed,
        };
        let runner =
            Runner { id: RunnerId::parse("runner-2").unwrap(), worker: WorkerName::parse("node-1").unwrap() };
        let mut pools = pilotlight_core::pool::Pools::new(
            pilotlight_core::pool::Order::Newest,
            pilotlight_core::pool::PollTiming::for_clients(Duration::from_secs(30)),
        );
        let poll = pilotlight_core::pool::Poll {
            key: cold().key,
            runner: runner.clone(),
            parked_at: Moment::from_micros(0),
            handle: (),
        };
        let (poll, _) = pools.park(poll);
        OfferReport {
            outcome: OfferEnd::Answered(OfferOutcome::Warm(Delivery::Acknowledged)),
            dispatches: vec![
                dispatch_record(1100, "runner-1", Some((Moment::from_micros(1200), FailureReason::Ended))),
                dispatch_record(1300, "runner-2", None),
            ],
            assigned: Some(AssignedRunner {
                runner,
                poll,
                selected_at: Moment::from_micros(1300),
                waited: Duration::from_millis(2345),
            }),
            trace: Some(SpanContext {
                id: TraceId::new([0xab; 16]).unwrap(),
                parent: SpanId::new([0x01; 8]),
                span: SpanId::new([0x02; 8]),
            }),
            ..cold()
        }
    }

    fn line(event: &OfferEvent) -> String {
        let mut lines = Vec::new();
        append(&mut lines, event, Clock::start());
        let line = String::from_utf8(lines).unwrap();
        let (at, rest) = line.split_once(',').unwrap();
        assert!(at.strip_prefix("{\"at_ms\":").unwrap().parse::<u64>().unwrap() > 1_600_000_000_000);
        rest.to_owned()
    }

    #[test]
    fn a_line_is_flat_and_has_every_field() {
        let warm = Arc::new(warm());
        let ids = r#""run":"run_1","deployment":"dep \"1\"","version":"20240101.1","cpu":0.5,"memory":1.0,"#;
        let warm_fields = r#""dispatches":2,"took_us":1500,"waited_ms":2345,"runner":"runner-2","worker":"node-1","bytes":1234,"trace_id":"abababababababababababababababab"}"#;
        for (event, expected) in [
            (
                OfferEvent::Ended(Arc::new(cold())),
                format!(
                    "\"event\":\"offer\",{ids}\"outcome\":\"cold\",\"delivery\":null,\"dispatches\":0,\"took_us\":1500,\
                     \"waited_ms\":null,\"runner\":null,\"worker\":null,\"bytes\":1234,\"trace_id\":null}}\n"
                ),
            ),
            (
                OfferEvent::Ended(Arc::clone(&warm)),
                format!(
                    "\"event\":\"offer\",{ids}\"outcome\":\"warm\",\"delivery\":\"acknowledged\",{warm_fields}\n"
                ),
            ),
            (
                OfferEvent::Unread(warm, Moment::from_micros(9000)),
                format!(
                    "\"event\":\"unread\",{ids}\"outcome\":\"warm\",\"delivery\":\"unread\",{warm_fields}\n"
                ),
            ),
        ] {
            assert_eq!(line(&event), expected);
        }
    }
}
