//! One offer under way, played to `core` and to its model at once, the way the driver of the product would: one step
//! after the other, and only events that can follow.

use pilotlight_core::delivery::{AckMode, DeliveryEvent, DeliveryTimeouts, Next, Offer, OfferOutcome, Step};
use pilotlight_core::history::{AssignedRunner, OfferRecord};
use pilotlight_core::pool::PollId;
use pilotlight_core::time::Moment;

use super::event::{Observation, Settings};
use super::fixtures;
use super::model::ModelSelection;
use super::offer_model::OfferModel;
use super::world::Violation;

/// What a supervisor offers.
#[derive(Debug, Clone, Copy)]
pub struct OfferSpec {
    /// Names the offer.
    pub run: u32,
    /// Which polls fit.
    pub pool: u8,
    /// How the pool's numbers are written.
    pub number_format: u8,
    /// How much proof a dispatch needs.
    pub ack_mode: AckMode,
    /// Bytes of the run.
    pub bytes: u32,
}

/// An offer under way.
#[derive(Debug)]
pub struct CheckedOffer {
    /// What is offered.
    pub spec: OfferSpec,
    core: Offer,
    model: OfferModel,
    step: Step,
    began: Moment,
    now: Moment,
    dispatch: Option<Dispatch>,
}

/// The dispatch under way.
#[derive(Debug)]
struct Dispatch {
    selection: ModelSelection,
    assigned: AssignedRunner,
    acknowledged: u64,
    end: u64,
    written: bool,
}

impl CheckedOffer {
    /// A new offer, which is to choose first.
    ///
    /// # Errors
    /// When it is to do anything else.
    pub fn new(spec: OfferSpec, settings: Settings, now: Moment) -> Result<Self, Violation> {
        let timeouts = DeliveryTimeouts::for_run(spec.bytes as usize, settings.silence());
        let (core, step) = Offer::new(spec.ack_mode, timeouts);
        Violation::check_same("the first step", &step, &Step { reset: false, next: Next::SelectPoll })?;
        let model = OfferModel::new(spec.ack_mode, spec.bytes, settings.silence());
        Ok(Self { spec, core, model, step, began: now, now, dispatch: None })
    }

    /// What is to be done next.
    #[must_use]
    pub const fn next(&self) -> Next {
        self.step.next
    }

    /// The answer, once there is one.
    #[must_use]
    pub const fn outcome(&self) -> Option<OfferOutcome> {
        match self.step.next {
            Next::Finish(outcome) => Some(outcome),
            Next::SelectPoll | Next::Wait { .. } => None,
        }
    }

    /// The offer's own clock never steps back: one task holds it.
    pub fn set_clock(&mut self, at: Moment) {
        self.now = self.now.max(at);
    }

    /// The run goes to this poll, on whose connection so many bytes were acknowledged before.
    ///
    /// # Errors
    /// When `core` and the model disagree on what follows.
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

    /// Nobody fits.
    ///
    /// # Errors
    /// When `core` and the model disagree on what follows.
    pub fn no_poll(&mut self) -> Result<(), Violation> {
        self.handle(DeliveryEvent::NoPoll)
    }

    /// What the driver would tell `core` when this is seen; `None` when it cannot be seen now.
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

    /// Tells both, and compares what they want.
    ///
    /// # Errors
    /// When they disagree, or want what must never be.
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
            let in_time = self.now < until && until <= self.model.deadline();
            Violation::check(in_time, || format!("waits at {:?} until {until:?}", self.now))?;
        }
        Ok(())
    }

    /// The books' entry, and who has the run; to be asked once it is answered.
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
            outcome: outcome,
            runner,
        };
        (record, selection)
    }

    /// The poll that the run is with now.
    #[must_use]
    pub fn poll(&self) -> Option<u32> {
        self.dispatch.as_ref().map(|dispatch| dispatch.selection.poll.poll)
    }
}
