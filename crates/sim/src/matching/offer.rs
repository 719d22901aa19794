//! The reference model of delivery: it keeps all that was seen, and reads from the whole of it, every time anew,
//! what is to be done. Its truth is DESIGN.md, "Warm is proven".

use std::time::Duration;

use pilotlight_core::delivery::{Answer, Delivery, Event, Next, Proof, Step};
use pilotlight_core::limits::SLOWEST_LINK_BYTES_PER_S;
use pilotlight_core::time::Moment;

const DISPATCHES: usize = 3;
const LOOKS_PER_SILENCE: u32 = 5;

/// All that was seen of one offer.
#[derive(Debug)]
pub struct OfferModel {
    proof: Proof,
    silence: Duration,
    in_all: Duration,
    seen: Vec<(Moment, Event)>,
}

impl OfferModel {
    /// Nothing yet.
    #[must_use]
    pub fn new(proof: Proof, bytes: u32, silence: Duration) -> Self {
        let transfer = Duration::from_micros(u64::from(bytes) * 1_000_000 / SLOWEST_LINK_BYTES_PER_S);
        Self { proof, silence, in_all: silence + transfer, seen: Vec::new() }
    }

    /// Remembers what was seen and says what to do.
    pub fn handle(&mut self, now: Moment, event: Event) -> Step {
        self.seen.push((now, event));
        let next = |next| Step { reset: false, next };
        match event {
            Event::NobodyWaits => next(Next::Answer(Answer::Cold)),
            Event::Acknowledged => next(Next::Answer(Answer::Warm(Delivery::Acknowledged))),
            Event::Written if self.proof == Proof::Written => {
                next(Next::Answer(Answer::Warm(Delivery::Unconfirmed)))
            }
            Event::Ended => Step { reset: false, next: self.after_a_failure() },
            Event::HandedOver { .. } | Event::Written | Event::Looked { .. }
                if now < self.patience_ends() =>
            {
                let look = now.after(self.silence / LOOKS_PER_SILENCE);
                next(Next::Wait { until: look.min(self.patience_ends()) })
            }
            Event::HandedOver { .. } | Event::Written | Event::Looked { .. } => {
                Step { reset: true, next: self.after_a_failure() }
            }
        }
    }

    /// Dispatches so far.
    #[must_use]
    pub fn dispatches(&self) -> usize {
        self.seen.iter().filter(|(_, event)| is_hand_over(event)).count()
    }

    /// When the dispatch under way is not believed in any more.
    #[must_use]
    pub fn patience_ends(&self) -> Moment {
        let dispatch = self.dispatch_under_way();
        let started = dispatch.first().map_or(Moment::default(), |(at, _)| *at);
        self.last_progress(dispatch).after(self.silence).min(started.after(self.in_all))
    }

    fn after_a_failure(&self) -> Next {
        if self.dispatches() < DISPATCHES { Next::Choose } else { Next::Answer(Answer::Cold) }
    }

    fn dispatch_under_way(&self) -> &[(Moment, Event)] {
        let start = self.seen.iter().rposition(|(_, event)| is_hand_over(event)).unwrap_or(0);
        &self.seen[start..]
    }

    fn last_progress(&self, dispatch: &[(Moment, Event)]) -> Moment {
        let mut most = None;
        let mut last = Moment::default();
        for (at, event) in dispatch {
            let acknowledged = acknowledged(event);
            if acknowledged > most {
                (most, last) = (acknowledged, *at);
            }
        }
        last
    }
}

const fn is_hand_over(event: &Event) -> bool {
    matches!(event, Event::HandedOver { .. })
}

const fn acknowledged(event: &Event) -> Option<u64> {
    match event {
        Event::HandedOver { acknowledged } | Event::Looked { acknowledged } => Some(*acknowledged),
        Event::NobodyWaits | Event::Written | Event::Acknowledged | Event::Ended => None,
    }
}
