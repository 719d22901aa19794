//! One offer that is applied to `core` and to its model in parallel. Like the product's driver, it performs one step
//! after the other, and applies only events that are possible in the current step.

use pilotlight_core::delivery::{
    AckMode, DeliveryEvent, DeliveryTimeouts, Next, Offer, OfferOutcome, OfferSettings, Step,
};
use pilotlight_core::history::{AssignedRunner, OfferRecord};
use pilotlight_core::limits::DISPATCHES_PER_OFFER;
use pilotlight_core::pool::PollId;
use pilotlight_core::time::Moment;

use super::event::{Observation, Settings};
use super::fixtures;
use super::model::ModelSelection;
use super::offer_model::OfferModel;
use super::violation::Violation;

/// An offer of a supervisor.
#[derive(Debug, Clone, Copy)]
pub struct OfferSpec {
    /// The number of the offer.
    pub run: u32,
    /// The pool of the run.
    pub pool: u8,
    /// The text format of the pool's numbers.
    pub number_format: u8,
    /// The acknowledgement that a dispatch needs.
    pub ack_mode: AckMode,
    /// Size of the run in bytes.
    pub bytes: u32,
}

/// An offer that is being delivered.
#[derive(Debug)]
pub struct CheckedOffer {
    /// The offer.
    pub spec: OfferSpec,
    core: Offer,
    model: OfferModel,
    step: Step,
    began: Moment,
    now: Moment,
    dispatch: Option<Dispatch>,
}

/// The current dispatch.
#[derive(Debug)]
struct Dispatch {
    selection: ModelSelection,
    assigned: AssignedRunner,
    acknowledged: u64,
    end: u64,
    written: bool,
}

impl CheckedOffer {
    /// A new offer, whose first step is to select a poll.
    ///
    /// # Errors
    /// When the first step is another one.
    pub fn new(spec: OfferSpec, settings: Settings, now: Moment) -> Result<Self, Violation> {
        let timeouts = DeliveryTimeouts::for_run(spec.bytes as usize, settings.silence());
        let max_dispatches = DISPATCHES_PER_OFFER;
        let (core, step) = Offer::new(OfferSettings { ack_mode: spec.ack_mode, timeouts, max_dispatches });
        Violation::check_same("the first step", &step, &Step { reset: false, next: Next::SelectPoll })?;
        let model = OfferModel::new(spec.ack_mode, spec.bytes, settings.silence());
        Ok(Self { spec, core, model, step, began: now, now, dispatch: None })
    }

    /// The next step.
    #[must_use]
    pub const fn next(&self) -> Next {
        self.step.next
    }

    /// The answer, when the offer has one.
    #[must_use]
    pub const fn outcome(&self) -> Option<OfferOutcome> {
        match self.step.next {
            Next::Finish(outcome) => Some(outcome),
            Next::SelectPoll | Next::Wait { .. } => None,
        }
    }

    /// Sets the offer's clock, which never goes back because one task owns the offer.
    pub fn set_clock(&mut self, at: Moment) {
        self.now = self.now.max(at);
    }

    /// Dispatches the run to this poll. `acknowledged` bytes of its connection were acknowledged before.
    ///
    /// # Errors
    /// When `core` and the model disagree on the next step.
    pub fn dispatch(
        &mut self,
        (selection, poll): (ModelSelection, PollId),
        selected_at: Moment,
        acknowledged: u64,
    ) -> Result<(), Violation> {
        let assigned = AssignedRunner {
            runner: fixtures::runner(selection.poll.runner),
            poll,
            selected_at,
            waited: selected_at.since(selection.poll.since),
        };
        let end = acknowledged + u64::from(self.spec.bytes);
        self.dispatch = Some(Dispatch { selection, assigned, acknowledged, end, written: false });
        self.handle(DeliveryEvent::Dispatched { acknowledged })
    }

    /// No poll fits the run.
    ///
    /// # Errors
    /// When `core` and the model disagree on the next step.
    pub fn no_poll(&mut self) -> Result<(), Violation> {
        self.handle(DeliveryEvent::NoPoll)
    }

    /// The event that the driver would report to `core` after this observation; `None` when it is not possible now.
    pub fn event(&mut self, observation: Observation) -> Option<DeliveryEvent> {
        let Next::Wait { until } = self.step.next else { return None };
        let dispatch = self.dispatch.as_mut()?;
        match observation {
            Observation::Written if dispatch.written => None,
            Observation::Written => {
                dispatch.written = true;
                Some(DeliveryEvent::Written)
            }
            Observation::Progress(bytes) => {
                dispatch.acknowledged = dispatch.end.min(dispatch.acknowledged + u64::from(bytes));
                None
            }
            Observation::Acknowledged => {
                (self.spec.ack_mode == AckMode::Kernel).then_some(DeliveryEvent::Acknowledged)
            }
            Observation::ConnectionEnded => Some(DeliveryEvent::ConnectionEnded),
            Observation::Check if self.now < until => None,
            Observation::Check if dispatch.written && dispatch.acknowledged >= dispatch.end => {
                Some(DeliveryEvent::Acknowledged)
            }
            Observation::Check => {
                Some(DeliveryEvent::ProgressChecked { acknowledged: dispatch.acknowledged })
            }
        }
    }

    /// Applies the event to `core` and to the model, and compares their steps.
    ///
    /// # Errors
    /// When the steps differ, or the step is never allowed.
    pub fn handle(&mut self, event: DeliveryEvent) -> Result<(), Violation> {
        self.step = self.core.handle(self.now, event);
        let expected = self.model.handle(self.now, event);
        Violation::check_same("an offer's step", &self.step, &expected)?;
        Violation::check_same(
            "an offer's dispatches",
            &usize::from(self.core.dispatches()),
            &self.model.dispatches(),
        )?;
        if let Next::Wait { until } = self.step.next {
            let is_valid = self.now < until && until <= self.model.deadline();
            Violation::check(is_valid, || format!("an offer waits at {:?} until {until:?}", self.now))?;
        }
        Ok(())
    }

    /// The record for the history, and the poll that has the run. Call it after the offer was answered.
    #[must_use]
    pub fn finish(self, outcome: OfferOutcome, at: Moment) -> (OfferRecord, Option<ModelSelection>) {
        let dispatch = self.dispatch.filter(|_| outcome != OfferOutcome::Cold);
        let (runner, selection) = dispatch.map(|dispatch| (dispatch.assigned, dispatch.selection)).unzip();
        let record = OfferRecord {
            run: fixtures::run_id(self.spec.run),
            key: fixtures::key(self.spec.pool, self.spec.number_format),
            at,
            took: at.since(self.began),
            dispatches: self.core.dispatches(),
            outcome,
            runner,
        };
        (record, selection)
    }

    /// The poll that the run is dispatched to.
    #[must_use]
    pub fn poll(&self) -> Option<u32> {
        self.dispatch.as_ref().map(|dispatch| dispatch.selection.poll.poll)
    }
}
