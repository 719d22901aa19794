//! Offers one run to the polls that fit it, and records how the offer ended. `net::delivery` carries out the steps that
//! `core::delivery` decides.

use std::sync::Arc;

use pilotlight_core::delivery::{DeliveryEvent, DeliveryTimeouts, OfferOutcome, OfferSettings, Step};
use pilotlight_core::history::{AssignedRunner, OfferRecord, RecordId};
use pilotlight_core::ids::RunId;
use pilotlight_core::limits::DISPATCHES_PER_OFFER;
use pilotlight_core::pool::{Poll, PoolKey, SelectedPoll};
use pilotlight_core::time::Moment;
use pilotlight_net::conn::AckRequest;
use pilotlight_net::delivery::{Delivered, Dispatch, PollSource, deliver};
use pilotlight_net::direct_response::DirectResponse;
use pilotlight_net::in_flight::InFlightDelivery;
use tokio::sync::oneshot;

use crate::telemetry::offer_event::{OfferEnd, OfferEvent, OfferReport};
use crate::warm_start::dispatcher::Dispatcher;
use crate::warm_start::offer_trace::OfferTrace;
use crate::warm_start::poll_handle::{OutgoingRun, PollHandle, PollOutcome, ResponsePath};
use crate::warm_start::run::Run;

impl Dispatcher {
    /// Offers a run to the polls that fit it. Takes at most the delivery timeout for its size, for each dispatch
    /// allowed. If the future is dropped earlier, a dispatch under way may still reach its runner, which then
    /// executes the run.
    pub(crate) async fn offer(self: &Arc<Self>, run: Run) -> OfferOutcome {
        let started_at = self.clock.now();
        let settings = OfferSettings {
            ack_mode: self.settings.ack_mode,
            timeouts: DeliveryTimeouts::for_run(run.message.len(), self.settings.ack_deadline),
            max_dispatches: DISPATCHES_PER_OFFER,
        };
        let (delivered, report) = {
            let trace = OfferTrace::new(self, &run, started_at);
            let mut source = FittingPolls { dispatcher: self, run: &run, trace };
            let delivered = deliver(&mut source, settings, self.clock).await;
            let assigned = delivered.dispatch.as_ref().map(|dispatch| &dispatch.target.assigned);
            let end = OfferEnd::Answered(delivered.outcome);
            let report = source.trace.finish(delivered.at, end, assigned);
            (delivered, report)
        };
        let outcome = delivered.outcome;
        self.finish_offer(run, started_at, delivered, report);
        outcome
    }

    /// Records the end of an offer. `report` is what the sinks of offer events got; `None` without sinks.
    fn finish_offer(
        self: &Arc<Self>,
        run: Run,
        started_at: Moment,
        delivered: Delivered<PollOutcome, Target>,
        report: Option<Arc<OfferReport>>,
    ) {
        let Delivered { outcome, at, dispatches, dispatch } = delivered;
        let (target, conn) = dispatch
            .map(|dispatch| (dispatch.target, Arc::clone(dispatch.delivery.conn())))
            .map_or((None, None), |(target, conn)| (Some(target), Some(conn)));
        let (key, runner) = target.map_or((run.key, None), |target| (target.key, Some(target.assigned)));
        let took = at.since(started_at);
        let record = OfferRecord { run: run.id, key, at, took, dispatches, outcome, runner };
        self.metrics.record_offer(&record);
        let record_id = self.matching().finish_offer(record);
        if let Some(conn) = conn {
            let dispatcher = Arc::clone(self);
            conn.when_unread(move || dispatcher.on_unread(&record_id, report));
        }
    }

    fn on_unread(&self, record_id: &RecordId, report: Option<Arc<OfferReport>>) {
        self.metrics.unread.inc();
        if let Some(offer) = report {
            self.offer_events.send(OfferEvent::Unread(offer, self.clock.now()));
        }
        let run = self.matching().mark_unread(record_id).map(|offered| offered.run.clone());
        let run = run.as_ref().map_or("unknown", RunId::as_str);
        tracing::warn!(run, "a runner's kernel acknowledged a run that the runner never read");
    }
}

/// The parked polls that fit a run.
struct FittingPolls<'a> {
    dispatcher: &'a Dispatcher,
    run: &'a Run,
    trace: OfferTrace<'a>,
}

/// The poll that was selected.
#[derive(Debug)]
struct Target {
    assigned: AssignedRunner,
    key: PoolKey,
}

impl PollSource for FittingPolls<'_> {
    type Outcome = PollOutcome;
    type Target = Target;

    /// Polls with closed connections are counted and skipped.
    fn dispatch(&mut self) -> Option<Dispatch<PollOutcome, Target>> {
        let dispatcher = self.dispatcher;
        loop {
            let (selected, now) = {
                let mut matching = dispatcher.matching();
                // Read under the lock, as when a poll is parked.
                let now = dispatcher.clock.now();
                (matching.select(&self.run.key, now)?, now)
            };
            if let Some(state) = selected.poll.handle.conn.state()
                && state.is_open
                && let Some(dispatch) = self.begin(selected, now, state.acknowledged)
            {
                self.trace.record_dispatch(&dispatch.target.assigned);
                return Some(dispatch);
            }
            dispatcher.metrics.closed_polls.inc();
        }
    }

    fn on_event(&mut self, now: Moment, event: DeliveryEvent, step: Step) {
        self.trace.record_event(now, event, step);
    }
}

impl FittingPolls<'_> {
    /// Begins to send the run. `None` when the poll has left meanwhile.
    fn begin(
        &self,
        selected: SelectedPoll<PollHandle>,
        now: Moment,
        acknowledged: u64,
    ) -> Option<Dispatch<PollOutcome, Target>> {
        let SelectedPoll { id, poll } = selected;
        let Poll { runner, parked_at, handle: PollHandle { conn, response_path, sender }, key } = poll;
        let (head, message) = (&self.run.head, &self.run.message);
        let delivery = match response_path {
            ResponsePath::Direct => {
                let ack = AckRequest::from(self.dispatcher.settings.ack_mode);
                let response = DirectResponse::begin(&conn, head.clone(), message.clone(), ack);
                InFlightDelivery::direct(conn, acknowledged, response, (sender, PollOutcome::Answered))
            }
            ResponsePath::Http => {
                let (written, written_receiver) = oneshot::channel();
                let outgoing = OutgoingRun { message: message.clone(), written };
                sender.send(PollOutcome::Run(outgoing)).ok()?;
                InFlightDelivery::http(conn, acknowledged, written_receiver)
            }
        };
        let assigned = AssignedRunner { runner, poll: id, selected_at: now, waited: now.since(parked_at) };
        Some(Dispatch { delivery, selected_at: now, target: Target { assigned, key } })
    }
}
