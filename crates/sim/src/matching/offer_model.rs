//! The reference model of delivery: a second, simpler implementation that `pilotlight_core::delivery` is compared with.
//! It stores all events of an offer, and computes each next step from all of them. Its rules are those of
//! ARCHITECTURE.md and docs/protocols/warm-start.md.

use std::time::Duration;

use pilotlight_core::delivery::{AckMode, Delivery, DeliveryEvent, Next, OfferOutcome, Step};
use pilotlight_core::limits::SLOWEST_LINK_BYTES_PER_S;
use pilotlight_core::time::Moment;

/// Maximum number of dispatches of one offer.
const MAX_DISPATCHES: usize = 3;
/// Number of progress checks until a dispatch without progress times out.
const CHECKS_PER_SILENCE: u32 = 5;

/// All events of one offer.
#[derive(Debug)]
pub struct OfferModel {
    ack_mode: AckMode,
    /// How long a dispatch may last without newly acknowledged bytes.
    silence: Duration,
    /// How long a dispatch may last in total.
    total: Duration,
    events: Vec<(Moment, DeliveryEvent)>,
}

impl OfferModel {
    /// The model of an offer without events.
    #[must_use]
    pub fn new(ack_mode: AckMode, bytes: u32, silence: Duration) -> Self {
        let transfer = Duration::from_micros(u64::from(bytes) * 1_000_000 / SLOWEST_LINK_BYTES_PER_S);
        Self { ack_mode, silence, total: silence + transfer, events: Vec::new() }
    }

    /// Stores the event and returns the next step.
    pub fn handle(&mut self, now: Moment, event: DeliveryEvent) -> Step {
        self.events.push((now, event));
        let next = |next| Step { reset: false, next };
        match event {
            DeliveryEvent::NoPoll => next(Next::Finish(OfferOutcome::Cold)),
            DeliveryEvent::Acknowledged => next(Next::Finish(OfferOutcome::Warm(Delivery::Acknowledged))),
            DeliveryEvent::Written if self.ack_mode == AckMode::Written => {
                next(Next::Finish(OfferOutcome::Warm(Delivery::Unconfirmed)))
            }
            DeliveryEvent::ConnectionEnded => Step { reset: false, next: self.after_failure() },
            DeliveryEvent::Dispatched { .. }
            | DeliveryEvent::Written
            | DeliveryEvent::ProgressChecked { .. }
                if now < self.deadline() =>
            {
                let next_check = now.after(self.silence / CHECKS_PER_SILENCE);
                next(Next::Wait { until: next_check.min(self.deadline()) })
            }
            DeliveryEvent::Dispatched { .. }
            | DeliveryEvent::Written
            | DeliveryEvent::ProgressChecked { .. } => Step { reset: true, next: self.after_failure() },
        }
    }

    /// Number of dispatches so far.
    #[must_use]
    pub fn dispatches(&self) -> usize {
        self.events.iter().filter(|(_, event)| is_dispatch(event)).count()
    }

    /// When the current dispatch times out.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        let dispatch = self.current_dispatch();
        let started = dispatch.first().map_or(Moment::default(), |(at, _)| *at);
        self.last_progress(dispatch).after(self.silence).min(started.after(self.total))
    }

    fn after_failure(&self) -> Next {
        if self.dispatches() < MAX_DISPATCHES { Next::SelectPoll } else { Next::Finish(OfferOutcome::Cold) }
    }

    fn current_dispatch(&self) -> &[(Moment, DeliveryEvent)] {
        let start = self.events.iter().rposition(|(_, event)| is_dispatch(event)).unwrap_or(0);
        &self.events[start..]
    }

    /// When the number of acknowledged bytes last grew.
    fn last_progress(&self, dispatch: &[(Moment, DeliveryEvent)]) -> Moment {
        let mut max_acknowledged = None;
        let mut last = Moment::default();
        for (at, event) in dispatch {
            let acknowledged = acknowledged(event);
            if acknowledged > max_acknowledged {
                (max_acknowledged, last) = (acknowledged, *at);
            }
        }
        last
    }
}

const fn is_dispatch(event: &DeliveryEvent) -> bool {
    matches!(event, DeliveryEvent::Dispatched { .. })
}

const fn acknowledged(event: &DeliveryEvent) -> Option<u64> {
    match event {
        DeliveryEvent::Dispatched { acknowledged } | DeliveryEvent::ProgressChecked { acknowledged } => {
            Some(*acknowledged)
        }
        DeliveryEvent::NoPoll
        | DeliveryEvent::Written
        | DeliveryEvent::Acknowledged
        | DeliveryEvent::ConnectionEnded => None,
    }
}
