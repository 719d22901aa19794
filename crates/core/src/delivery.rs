//! Decides what becomes of one offer: which dispatch is still believed in, when it is given up, when the next
//! poll is asked, and what the supervisor is told. It must never say warm twice, nor warm without the proof
//! that the platform can give. Its truth is the events it is told; it reads no socket and no clock.

use std::time::Duration;

use crate::limits::{DISPATCHES_PER_OFFER, SLOWEST_LINK_BYTES_PER_S};
use crate::time::Moment;

/// What became of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The runner's kernel has every byte.
    Acknowledged,
    /// Acknowledged, then the connection was reset: the program never read it.
    Unread,
    /// Written; this platform cannot tell more.
    Unconfirmed,
}

impl Delivery {
    /// As people and programs are told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Unread => "unread",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// What the supervisor is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OfferOutcome {
    /// The run is with a runner.
    Warm(Delivery),
    /// No poll took the run: start it cold.
    Cold,
}

/// How much proof a dispatch needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckMode {
    /// The runner's kernel must acknowledge every byte.
    Kernel,
    /// Written is enough, because the platform cannot tell more or the operator does not want to wait.
    Written,
}

impl AckMode {
    /// As people and programs are told.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Written => Delivery::Unconfirmed.as_str(),
        }
    }
}

/// What the acting code saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryEvent {
    /// A poll was chosen and the run handed to its connection, of which so many bytes are acknowledged.
    Dispatched {
        /// Bytes of the connection acknowledged so far.
        acknowledged: u64,
    },
    /// No fitting poll waits.
    NoPoll,
    /// Every byte was written to the runner's socket.
    Written,
    /// The runner's kernel acknowledged every byte.
    Acknowledged,
    /// The connection ended without that.
    ConnectionEnded,
    /// The time asked for in [`Next::Wait`] has come; so many bytes are acknowledged so far.
    ProgressChecked {
        /// Bytes of the connection acknowledged so far.
        acknowledged: u64,
    },
}

/// What the acting code does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Step {
    /// Reset the current poll's connection first: whoever is behind it must not act on half a run. Resetting a
    /// connection that is gone changes nothing.
    pub reset: bool,
    /// Then this.
    pub next: Next,
}

/// The rest of a [`Step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// Choose a poll and hand the run over. A poll leaves its pool when it is chosen, so it is chosen once.
    SelectPoll,
    /// Wait for an event, at most until then; then look how far the acknowledgement is.
    Wait {
        /// When to look.
        until: Moment,
    },
    /// Tell the supervisor. The offer has ended; nothing follows.
    Finish(OfferOutcome),
}

impl Next {
    const fn step(self) -> Step {
        Step { reset: false, next: self }
    }
}

/// How long a dispatch is believed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryTimeouts {
    /// Without progress of the acknowledged bytes.
    pub without_progress: Duration,
    /// In all.
    pub total: Duration,
}

impl DeliveryTimeouts {
    /// The patience for a run of `bytes`, when `without_progress` is how long a healthy link may stay silent.
    #[must_use]
    pub fn for_run(bytes: usize, without_progress: Duration) -> Self {
        let micros = (bytes as u64).saturating_mul(1_000_000) / SLOWEST_LINK_BYTES_PER_S;
        let total = without_progress.saturating_add(Duration::from_micros(micros));
        Self { without_progress, total }
    }
}

/// Looks at the acknowledged bytes within one silence. More would only cost; fewer would mistake when the
/// last progress was.
const PROGRESS_CHECKS: u32 = 5;

/// One run looking for its runner.
#[derive(Debug, Clone)]
pub struct Offer {
    ack_mode: AckMode,
    timeouts: DeliveryTimeouts,
    dispatches: u8,
    dispatch: Option<Dispatch>,
}

#[derive(Debug, Clone, Copy)]
struct Dispatch {
    started: Moment,
    last_progress: Moment,
    acknowledged: u64,
}

impl Offer {
    /// A new offer and its first step.
    #[must_use]
    pub fn new(ack_mode: AckMode, timeouts: DeliveryTimeouts) -> (Self, Step) {
        let offer = Self { ack_mode, timeouts, dispatches: 0, dispatch: None };
        (offer, Next::SelectPoll.step())
    }

    /// Polls that the run was dispatched to so far.
    #[must_use]
    pub const fn dispatches(&self) -> u8 {
        self.dispatches
    }

    /// Takes what was seen and says what to do.
    pub fn handle(&mut self, now: Moment, event: DeliveryEvent) -> Step {
        match event {
            DeliveryEvent::Dispatched { acknowledged } => self.dispatched(now, acknowledged),
            DeliveryEvent::NoPoll => Next::Finish(OfferOutcome::Cold).step(),
            DeliveryEvent::Written => self.written(now),
            DeliveryEvent::Acknowledged => Next::Finish(OfferOutcome::Warm(Delivery::Acknowledged)).step(),
            DeliveryEvent::ConnectionEnded => self.next_dispatch(false),
            DeliveryEvent::ProgressChecked { acknowledged } => self.progress_checked(now, acknowledged),
        }
    }

    fn dispatched(&mut self, now: Moment, acknowledged: u64) -> Step {
        self.dispatches += 1;
        self.dispatch = Some(Dispatch { started: now, last_progress: now, acknowledged });
        self.wait(now)
    }

    fn written(&mut self, now: Moment) -> Step {
        match self.ack_mode {
            AckMode::Written => Next::Finish(OfferOutcome::Warm(Delivery::Unconfirmed)).step(),
            AckMode::Kernel => self.wait(now),
        }
    }

    fn progress_checked(&mut self, now: Moment, acknowledged: u64) -> Step {
        if let Some(dispatch) = &mut self.dispatch
            && acknowledged > dispatch.acknowledged
        {
            *dispatch = Dispatch { acknowledged, last_progress: now, ..*dispatch };
        }
        self.wait(now)
    }

    fn wait(&mut self, now: Moment) -> Step {
        match self.deadline() {
            Some(end) if now < end => Next::Wait { until: end.min(self.next_check(now)) }.step(),
            Some(_) | None => self.next_dispatch(true),
        }
    }

    fn deadline(&self) -> Option<Moment> {
        let dispatch = self.dispatch?;
        let silent = dispatch.last_progress.after(self.timeouts.without_progress);
        Some(silent.min(dispatch.started.after(self.timeouts.total)))
    }

    fn next_check(&self, now: Moment) -> Moment {
        now.after(self.timeouts.without_progress / PROGRESS_CHECKS)
    }

    fn next_dispatch(&mut self, reset: bool) -> Step {
        self.dispatch = None;
        let next = if self.dispatches < DISPATCHES_PER_OFFER {
            Next::SelectPoll
        } else {
            Next::Finish(OfferOutcome::Cold)
        };
        Step { reset, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_millis(250);

    fn offer(ack_mode: AckMode, bytes: usize) -> Offer {
        let (offer, first) = Offer::new(ack_mode, DeliveryTimeouts::for_run(bytes, SILENCE));
        assert_eq!(first, Next::SelectPoll.step());
        offer
    }

    fn ms(millis: u64) -> Moment {
        Moment::from_millis(millis)
    }

    fn wait(millis: u64) -> Step {
        Next::Wait { until: ms(millis) }.step()
    }

    fn finish(outcome: OfferOutcome) -> Step {
        Next::Finish(outcome).step()
    }

    const DISPATCHED: DeliveryEvent = DeliveryEvent::Dispatched { acknowledged: 100 };
    const NEXT_POLL: Step = Step { reset: false, next: Next::SelectPoll };
    const RESET_AND_NEXT_POLL: Step = Step { reset: true, next: Next::SelectPoll };

    #[track_caller]
    fn play(mut offer: Offer, script: &[(u64, DeliveryEvent, Step)]) {
        for (at, event, expected) in script {
            assert_eq!(offer.handle(ms(*at), *event), *expected, "{event:?} at {at} ms");
        }
    }

    #[test]
    fn an_acknowledged_dispatch_is_warm() {
        play(
            offer(AckMode::Kernel, 1000),
            &[
                (0, DISPATCHED, wait(50)),
                (0, DeliveryEvent::Written, wait(50)),
                (1, DeliveryEvent::Acknowledged, finish(OfferOutcome::Warm(Delivery::Acknowledged))),
            ],
        );
    }

    #[test]
    fn without_a_poll_the_offer_is_cold_at_once() {
        play(offer(AckMode::Kernel, 1000), &[(0, DeliveryEvent::NoPoll, finish(OfferOutcome::Cold))]);
    }

    #[test]
    fn written_is_enough_where_the_platform_cannot_tell() {
        play(
            offer(AckMode::Written, 1000),
            &[
                (0, DISPATCHED, wait(50)),
                (0, DeliveryEvent::Written, finish(OfferOutcome::Warm(Delivery::Unconfirmed))),
            ],
        );
    }

    #[test]
    fn a_closed_connection_selects_the_next_poll_up_to_three() {
        play(
            offer(AckMode::Kernel, 1000),
            &[
                (0, DISPATCHED, wait(50)),
                (0, DeliveryEvent::ConnectionEnded, NEXT_POLL),
                (0, DISPATCHED, wait(50)),
                (0, DeliveryEvent::ConnectionEnded, NEXT_POLL),
                (0, DISPATCHED, wait(50)),
                (0, DeliveryEvent::ConnectionEnded, finish(OfferOutcome::Cold)),
            ],
        );
    }

    #[test]
    fn a_silent_link_is_reset_and_the_next_poll_selected() {
        let nothing = DeliveryEvent::ProgressChecked { acknowledged: 100 };
        play(
            offer(AckMode::Kernel, 1_000_000),
            &[(0, DISPATCHED, wait(50)), (200, nothing, wait(250)), (250, nothing, RESET_AND_NEXT_POLL)],
        );
    }

    #[test]
    fn progress_extends_the_timeout_up_to_the_total() {
        // 100,000 bytes may take 200 ms more than the silence allowed.
        play(
            offer(AckMode::Kernel, 100_000),
            &[
                (0, DISPATCHED, wait(50)),
                (200, DeliveryEvent::ProgressChecked { acknowledged: 5000 }, wait(250)),
                (440, DeliveryEvent::ProgressChecked { acknowledged: 9000 }, wait(450)),
                (450, DeliveryEvent::ProgressChecked { acknowledged: 9999 }, RESET_AND_NEXT_POLL),
            ],
        );
    }
}
