//! Offers one run to the polls that fit it: carries out the steps that `core::delivery` decides, and reports the
//! events of each dispatch back to it.

use std::sync::Arc;

use pilotlight_core::delivery::{DeliveryEvent, DeliveryTimeouts, Next, Offer, OfferOutcome};
use pilotlight_core::history::{AssignedRunner, OfferRecord, RecordId};
use pilotlight_core::ids::RunId;
use pilotlight_core::pool::{Poll, PoolKey, SelectedPoll};
use pilotlight_core::time::Moment;
use tokio::sync::oneshot;

use crate::telemetry::offer_event::{self, OfferEnd, OfferEvent};
use crate::warm_start::dispatcher::Dispatcher;
use crate::warm_start::metrics::AnsweredOffer;
use crate::warm_start::offer_trace::OfferTrace;
use crate::warm_start::poll_handle::{OutgoingRun, PollHandle, PollOutcome, ResponsePath};
use crate::warm_start::run::Run;
use pilotlight_net::conn::AckRequest;
use pilotlight_net::direct_response::DirectResponse;
use pilotlight_net::in_flight::InFlightDelivery;

impl Dispatcher {
    /// Offers a run to the polls that fit it. Takes at most the delivery time-out for its size, for each dispatch
    /// allowed. If the future is dropped earlier, a dispatch under way may still reach its runner, which then
    /// executes the run.
    pub(crate) async fn offer(self: &Arc<Self>, run: Run) -> OfferOutcome {
        let started_at = self.clock.now();
        let timeouts = DeliveryTimeouts::for_run(run.message.len(), self.settings.ack_deadline);
        let (mut offer, mut step) = Offer::new(self.settings.ack_mode, timeouts);
        let mut offer_trace = OfferTrace::new(self, &run, started_at);
        let mut dispatch: Option<Dispatch> = None;
        let mut now = started_at;
        let outcome = loop {
            if step.reset
                && let Some(dispatch) = dispatch.take()
            {
                dispatch.delivery.reset();
            }
            let event = match step.next {
                Next::SelectPoll => {
                    dispatch = self.start_dispatch(&run);
                    if let Some(dispatch) = &dispatch {
                        offer_trace.record_dispatch(&dispatch.assigned);
                    }
                    dispatch
                        .as_ref()
                        .map_or(DeliveryEvent::NoPoll, |dispatch| dispatch.delivery.start_event())
                }
                Next::Wait { until } => {
                    let dispatch = dispatch.as_mut().expect("core waits only while a dispatch is under way");
                    let event = dispatch.delivery.next_event(self.clock, until).await;
                    now = self.clock.now();
                    event
                }
                Next::Finish(outcome) => break outcome,
            };
            if let Some(dispatch) = &dispatch {
                now = now.max(dispatch.assigned.selected_at);
            }
            step = offer.handle(now, event);
            offer_trace.record_event(now, event, step);
        };
        let dispatch = dispatch.filter(|_| outcome != OfferOutcome::Cold);
        let assigned = dispatch.as_ref().map(|dispatch| &dispatch.assigned);
        let report = offer_trace.finish(now, OfferEnd::Answered(outcome), assigned);
        self.finish_offer(
            run,
            outcome,
            FinishedOffer { started_at, at: now, dispatches: offer.dispatches(), dispatch, report },
        );
        outcome
    }

    /// Dispatches the run to the next poll whose connection is open. Polls with closed connections are counted and
    /// skipped.
    fn start_dispatch(&self, run: &Run) -> Option<Dispatch> {
        loop {
            let (selected, now) = {
                let mut matching = self.matching();
                // Read under the lock, as when a poll is parked.
                let now = self.clock.now();
                (matching.select(&run.key, now)?, now)
            };
            if let Some(state) = selected.poll.handle.conn.state()
                && state.is_open
                && let Some(dispatch) = Dispatch::begin(
                    selected,
                    run,
                    AckRequest::from(self.settings.ack_mode),
                    (now, state.acknowledged),
                )
            {
                return Some(dispatch);
            }
            self.metrics.closed_polls.inc();
        }
    }

    fn finish_offer(self: &Arc<Self>, run: Run, outcome: OfferOutcome, finished: FinishedOffer) {
        let took = finished.at.since(finished.started_at);
        let FinishedOffer { dispatch, dispatches, report, .. } = finished;
        let waited = dispatch.as_ref().map(|dispatch| dispatch.assigned.waited);
        self.metrics.record_answer(AnsweredOffer { answer: outcome, took, dispatches, waited });
        let conn = dispatch.as_ref().map(|dispatch| Arc::clone(dispatch.delivery.conn()));
        let record_id = self.matching().finish_offer(OfferRecord {
            run: run.id,
            key: dispatch.as_ref().map_or(run.key, |dispatch| dispatch.key.clone()),
            at: finished.at,
            took,
            dispatches,
            outcome,
            runner: dispatch.map(|dispatch| dispatch.assigned.clone()),
        });
        if let Some(conn) = conn {
            let dispatcher = Arc::clone(self);
            conn.when_unread(move || dispatcher.on_unread(&record_id, report));
        }
    }

    fn on_unread(&self, record_id: &RecordId, report: Option<Arc<offer_event::OfferReport>>) {
        self.metrics.unread.inc();
        if let Some(offer) = report {
            self.offer_events.send(OfferEvent::Unread(offer, self.clock.now()));
        }
        let run = self.matching().mark_unread(record_id).map(|offered| offered.run.clone());
        let run = run.as_ref().map_or("unknown", RunId::as_str);
        tracing::warn!(run, "a runner's kernel acknowledged a run that the runner never read");
    }
}

/// The result of an ended offer.
struct FinishedOffer {
    started_at: Moment,
    at: Moment,
    dispatches: u8,
    /// The dispatch that delivered the run; `None` when the run must start cold.
    dispatch: Option<Dispatch>,
    /// The report that was sent to the offer events' sinks; `None` without sinks.
    report: Option<Arc<offer_event::OfferReport>>,
}

/// A run that is being sent to one poll.
struct Dispatch {
    assigned: AssignedRunner,
    key: PoolKey,
    delivery: InFlightDelivery<PollOutcome>,
}

impl Dispatch {
    fn begin(
        selected: SelectedPoll<PollHandle>,
        run: &Run,
        ack: AckRequest,
        (now, acknowledged): (Moment, u64),
    ) -> Option<Self> {
        let SelectedPoll { id, poll } = selected;
        let Poll { runner, parked_at, handle: PollHandle { conn, response_path, sender }, key } = poll;
        let delivery = match response_path {
            ResponsePath::Direct => {
                let response = DirectResponse::begin(&conn, run.head.clone(), run.message.clone(), ack);
                InFlightDelivery::direct(conn, acknowledged, response, (sender, PollOutcome::Answered))
            }
            ResponsePath::Http => {
                let (written, written_receiver) = oneshot::channel();
                let outgoing = OutgoingRun { message: run.message.clone(), written };
                sender.send(PollOutcome::Run(outgoing)).ok()?;
                InFlightDelivery::http(conn, acknowledged, written_receiver)
            }
        };
        let assigned = AssignedRunner { runner, poll: id, selected_at: now, waited: now.since(parked_at) };
        Some(Self { assigned, key, delivery })
    }
}
