//! One offer under way, played to `core` and to its model at once, the way the driver of the product would: one step
//! after the other, and only events that can follow.

use pilotlight_core::delivery::{AckMode, DeliveryTimeouts, Event, Next, Offer, OfferOutcome, Step};
use pilotlight_core::history::{AssignedRunner, OfferRecord};
use pilotlight_core::pool::PollId;
use pilotlight_core::time::Moment;

use super::cast;
use super::event::{Seen, Settings};
use super::model::ModelSelection;
use super::offer::OfferModel;
use super::world::Broken;

/// What a supervisor offers.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Names the offer.
    pub run: u32,
    /// Which polls fit.
    pub pool: u8,
    /// How the pool's numbers are written.
    pub spelling: u8,
    /// How much proof a dispatch needs.
    pub ack_mode: AckMode,
    /// Bytes of the run.
    pub bytes: u32,
}

/// An offer under way.
#[derive(Debug)]
pub struct Course {
    /// What is offered.
    pub wish: Wish,
    real: Offer,
    model: OfferModel,
    step: Step,
    began: Moment,
    now: Moment,
    dispatch: Option<Dispatch>,
}

/// The dispatch under way.
#[derive(Debug)]
struct Dispatch {
    chosen: ModelSelection,
    taker: AssignedRunner,
    acknowledged: u64,
    end: u64,
    written: bool,
}

impl Course {
    /// A new offer, which is to choose first.
    ///
    /// # Errors
    /// When it is to do anything else.
    pub fn new(wish: Wish, settings: Settings, now: Moment) -> Result<Self, Broken> {
        let timeouts = DeliveryTimeouts::for_run(wish.bytes as usize, settings.silence());
        let (real, step) = Offer::new(wish.ack_mode, timeouts);
        Broken::unless_same("the first step", &step, &Step { reset: false, next: Next::SelectPoll })?;
        let model = OfferModel::new(wish.ack_mode, wish.bytes, settings.silence());
        Ok(Self { wish, real, model, step, began: now, now, dispatch: None })
    }

    /// What is to be done next.
    #[must_use]
    pub const fn next(&self) -> Next {
        self.step.next
    }

    /// The answer, once there is one.
    #[must_use]
    pub const fn answer(&self) -> Option<OfferOutcome> {
        match self.step.next {
            Next::Finish(answer) => Some(answer),
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
    pub fn hand_over(
        &mut self,
        (chosen, poll): (ModelSelection, PollId),
        selected_at: Moment,
        acknowledged: u64,
    ) -> Result<(), Broken> {
        let taker = AssignedRunner {
            runner: cast::runner(chosen.waited.runner),
            poll,
            selected_at,
            waited: selected_at.since(chosen.waited.since),
        };
        let end = acknowledged + u64::from(self.wish.bytes);
        self.dispatch = Some(Dispatch { chosen, taker, acknowledged, end, written: false });
        self.handle(Event::Dispatched { acknowledged })
    }

    /// Nobody fits.
    ///
    /// # Errors
    /// When `core` and the model disagree on what follows.
    pub fn nobody_waits(&mut self) -> Result<(), Broken> {
        self.handle(Event::NoPoll)
    }

    /// What the driver would tell `core` when this is seen; `None` when it cannot be seen now.
    pub fn event(&mut self, seen: Seen) -> Option<Event> {
        let Next::Wait { until } = self.step.next else { return None };
        let dispatch = self.dispatch.as_mut()?;
        match seen {
            Seen::Written if dispatch.written => None,
            Seen::Written => {
                dispatch.written = true;
                Some(Event::Written)
            }
            Seen::Progress(bytes) => {
                dispatch.acknowledged = dispatch.end.min(dispatch.acknowledged + u64::from(bytes));
                None
            }
            Seen::Acknowledged => (self.wish.ack_mode == AckMode::Kernel).then_some(Event::Acknowledged),
            Seen::Ended => Some(Event::ConnectionEnded),
            Seen::Look if self.now < until => None,
            Seen::Look if dispatch.written && dispatch.acknowledged >= dispatch.end => {
                Some(Event::Acknowledged)
            }
            Seen::Look => Some(Event::ProgressChecked { acknowledged: dispatch.acknowledged }),
        }
    }

    /// Tells both, and compares what they want.
    ///
    /// # Errors
    /// When they disagree, or want what must never be.
    pub fn handle(&mut self, event: Event) -> Result<(), Broken> {
        self.step = self.real.handle(self.now, event);
        let expected = self.model.handle(self.now, event);
        Broken::unless_same("an offer's step", &self.step, &expected)?;
        Broken::unless_same(
            "an offer's dispatches",
            &usize::from(self.real.dispatches()),
            &self.model.dispatches(),
        )?;
        if let Next::Wait { until } = self.step.next {
            let in_time = self.now < until && until <= self.model.deadline();
            Broken::unless(in_time, || format!("waits at {:?} until {until:?}", self.now))?;
        }
        Ok(())
    }

    /// The books' entry, and who has the run; to be asked once it is answered.
    #[must_use]
    pub fn settled(self, answer: OfferOutcome, at: Moment) -> (OfferRecord, Option<ModelSelection>) {
        let dispatch = self.dispatch.filter(|_| answer != OfferOutcome::Cold);
        let (runner, chosen) = dispatch.map(|dispatch| (dispatch.taker, dispatch.chosen)).unzip();
        let offered = OfferRecord {
            run: cast::run_id(self.wish.run),
            key: cast::key(self.wish.pool, self.wish.spelling),
            at,
            took: at.since(self.began),
            dispatches: self.real.dispatches(),
            outcome: answer,
            runner,
        };
        (offered, chosen)
    }

    /// The poll that the run is with now.
    #[must_use]
    pub fn poll(&self) -> Option<u32> {
        self.dispatch.as_ref().map(|dispatch| dispatch.chosen.waited.poll)
    }
}
