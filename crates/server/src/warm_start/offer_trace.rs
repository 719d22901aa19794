//! Records an offer for the offer events (the offer log and traces): its dispatches, and how it ended. Without sinks
//! nothing is recorded. If it is dropped before the offer is answered, the supervisor has disconnected.

use std::sync::Arc;

use pilotlight_core::delivery::{DeliveryEvent, Step};
use pilotlight_core::history::AssignedRunner;
use pilotlight_core::time::Moment;

use crate::telemetry::offer_event::{DispatchRecord, FailureReason, OfferEnd, OfferEvent, OfferReport};
use crate::warm_start::dispatcher::Dispatcher;
use crate::warm_start::run::Run;

/// The record of an offer that is under way.
#[derive(Debug)]
pub(super) struct OfferTrace<'a> {
    dispatcher: &'a Dispatcher,
    run: &'a Run,
    started_at: Moment,
    dispatches: Vec<DispatchRecord>,
    is_answered: bool,
}

impl<'a> OfferTrace<'a> {
    pub(super) const fn new(dispatcher: &'a Dispatcher, run: &'a Run, started_at: Moment) -> Self {
        Self { dispatcher, run, started_at, dispatches: Vec::new(), is_answered: false }
    }

    /// Records that a poll was selected.
    pub(super) fn record_dispatch(&mut self, assigned: &AssignedRunner) {
        if self.dispatcher.offer_events.is_enabled() {
            let (at, runner) = (assigned.selected_at, assigned.runner.id.clone());
            self.dispatches.push(DispatchRecord { at, runner, failed: None });
        }
    }

    /// Records an event of the current dispatch, and the step that `core` decided.
    pub(super) fn record_event(&mut self, now: Moment, event: DeliveryEvent, step: Step) {
        let metrics = &self.dispatcher.metrics;
        let (why, count) = if step.reset {
            (FailureReason::Deadline, &metrics.timed_out_dispatches)
        } else if event == DeliveryEvent::ConnectionEnded {
            (FailureReason::Ended, &metrics.ended_dispatches)
        } else {
            return;
        };
        count.inc();
        if let Some(last) = self.dispatches.last_mut() {
            last.failed = Some((now, why));
        }
    }

    /// Records the answer to the supervisor. Returns the whole report when there are sinks.
    pub(super) fn finish(
        mut self,
        ended: Moment,
        outcome: OfferEnd,
        assigned: Option<&AssignedRunner>,
    ) -> Option<Arc<OfferReport>> {
        self.is_answered = true;
        self.report(ended, outcome, assigned)
    }

    fn report(
        &mut self,
        ended: Moment,
        outcome: OfferEnd,
        assigned: Option<&AssignedRunner>,
    ) -> Option<Arc<OfferReport>> {
        let (offer_events, run) = (&self.dispatcher.offer_events, self.run);
        if !offer_events.is_enabled() {
            return None;
        }
        let offer = Arc::new(OfferReport {
            run: run.id.clone(),
            key: run.key.clone(),
            began: self.started_at,
            ended,
            outcome,
            dispatches: std::mem::take(&mut self.dispatches),
            assigned: assigned.cloned(),
            bytes: run.message.len(),
            trace: offer_events.span_context(run.trace),
        });
        offer_events.send(OfferEvent::Ended(Arc::clone(&offer)));
        Some(offer)
    }
}

impl Drop for OfferTrace<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.dispatcher.metrics.unanswered.inc();
            self.report(self.dispatcher.clock.now(), OfferEnd::Unanswered, None);
        }
    }
}
