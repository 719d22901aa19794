//! The driver of `core::delivery`: delivers a run or a job to parked polls, one after the other, until the kernel of a
//! runner's machine has acknowledged every byte. It decides nothing itself, and knows neither runs nor jobs.

use pilotlight_core::delivery::{DeliveryEvent, Next, Offer, OfferOutcome, OfferSettings, Step};
use pilotlight_core::time::Moment;

use crate::clock::Clock;
use crate::in_flight::InFlightDelivery;

/// Where the driver gets polls from, and whom it informs.
pub trait PollSource {
    /// What a poll's task is sent.
    type Outcome;
    /// What the source knows of a selected poll.
    type Target;

    /// Selects a poll whose connection is open, and begins to send to it. `None` when there is none.
    fn dispatch(&mut self) -> Option<Dispatch<Self::Outcome, Self::Target>>;

    /// Called after every event of a dispatch, with the step that follows.
    fn on_event(&mut self, _now: Moment, _event: DeliveryEvent, _step: Step) {}
}

/// What is being sent to one poll.
#[derive(Debug)]
pub struct Dispatch<V, T> {
    /// The dispatch on the poll's connection.
    pub delivery: InFlightDelivery<V>,
    /// When the poll was selected.
    pub selected_at: Moment,
    /// What the source knows of the poll.
    pub target: T,
}

/// The end of an offer.
#[derive(Debug)]
pub struct Delivered<V, T> {
    /// The answer.
    pub outcome: OfferOutcome,
    /// When it was decided.
    pub at: Moment,
    /// Number of polls that were dispatched to.
    pub dispatches: u8,
    /// The dispatch that delivered; `None` when the outcome is cold.
    pub dispatch: Option<Dispatch<V, T>>,
}

/// Delivers to the polls of a source. Takes at most the delivery timeout, for each dispatch allowed. If the future is
/// dropped earlier, a dispatch under way may still reach its runner.
pub async fn deliver<S: PollSource>(
    source: &mut S,
    settings: OfferSettings,
    clock: Clock,
) -> Delivered<S::Outcome, S::Target> {
    let (mut offer, mut step) = Offer::new(settings);
    let mut dispatch: Option<Dispatch<S::Outcome, S::Target>> = None;
    let mut now = clock.now();
    let outcome = loop {
        if step.reset
            && let Some(dispatch) = dispatch.take()
        {
            dispatch.delivery.reset();
        }
        let event = match step.next {
            Next::SelectPoll => {
                dispatch = source.dispatch();
                dispatch.as_ref().map_or(DeliveryEvent::NoPoll, |dispatch| dispatch.delivery.start_event())
            }
            Next::Wait { until } => {
                let dispatch = dispatch.as_mut().expect("core waits only while a dispatch is under way");
                let event = dispatch.delivery.next_event(clock, until).await;
                now = clock.now();
                event
            }
            Next::Finish(outcome) => break outcome,
        };
        if let Some(dispatch) = &dispatch {
            now = now.max(dispatch.selected_at);
        }
        step = offer.handle(now, event);
        source.on_event(now, event, step);
    };
    let dispatch = dispatch.filter(|_| outcome != OfferOutcome::Cold);
    Delivered { outcome, at: now, dispatches: offer.dispatches(), dispatch }
}
