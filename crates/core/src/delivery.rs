//! Decides the course of one offer: how long a dispatch may take, when the next poll is selected, and how the
//! supervisor is answered. It must never answer warm twice, and never without the proof that the platform can give. It
//! knows only the events that it is given, and reads no socket and no clock.

use std::time::Duration;

use crate::limits::SLOWEST_LINK_BYTES_PER_S;
use crate::time::Moment;

/// The outcome of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The kernel of the runner's machine has acknowledged every byte.
    Acknowledged,
    /// Acknowledged, but then the connection was reset: the runner's program did not read the run.
    Unread,
    /// Written to the socket; the platform cannot tell more.
    Unconfirmed,
}

impl Delivery {
    /// The name in the API, the logs and the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Unread => "unread",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

/// The answer to the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OfferOutcome {
    /// A runner has the run.
    Warm(Delivery),
    /// No poll took the run: the supervisor must start it cold.
    Cold,
}

/// Which proof a dispatch needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckMode {
    /// The kernel of the runner's machine must acknowledge every byte.
    Kernel,
    /// Writing to the socket is enough, because the platform cannot tell more or the operator does not want to wait.
    Written,
}

impl AckMode {
    /// The name in the API, the logs and the metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Written => Delivery::Unconfirmed.as_str(),
        }
    }
}

/// What the driver reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryEvent {
    /// A poll was selected and the run was given to its connection.
    Dispatched {
        /// Acknowledged bytes of the connection so far.
        acknowledged: u64,
    },
    /// No poll fits the run.
    NoPoll,
    /// Every byte is written to the runner's socket.
    Written,
    /// The kernel of the runner's machine has acknowledged every byte.
    Acknowledged,
    /// The connection ended before every byte was acknowledged.
    ConnectionEnded,
    /// The time of [`Next::Wait`] has come.
    ProgressChecked {
        /// Acknowledged bytes of the connection so far.
        acknowledged: u64,
    },
}

/// What the driver does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Step {
    /// First reset the connection of the current poll, so that the client cannot act on an incomplete run. A reset of a
    /// closed connection has no effect.
    pub reset: bool,
    /// Then do this.
    pub next: Next,
}

/// The second part of a [`Step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// Select a poll and dispatch the run to it. A poll leaves its pool when it is selected, so it is selected once.
    SelectPoll,
    /// Wait for an event until this time at most, then report the acknowledged bytes.
    Wait {
        /// When to report the acknowledged bytes.
        until: Moment,
    },
    /// Answer the supervisor. The offer has ended; no step follows.
    Finish(OfferOutcome),
}

impl Next {
    const fn step(self) -> Step {
        Step { reset: false, next: self }
    }
}

/// How long a dispatch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryTimeouts {
    /// Maximum time without newly acknowledged bytes.
    pub without_progress: Duration,
    /// Maximum time in total.
    pub total: Duration,
}

impl DeliveryTimeouts {
    /// The timeouts for a run of `bytes`. `without_progress` is how long a healthy link may be silent.
    #[must_use]
    pub fn for_run(bytes: usize, without_progress: Duration) -> Self {
        let micros = (bytes as u64).saturating_mul(1_000_000) / SLOWEST_LINK_BYTES_PER_S;
        let total = without_progress.saturating_add(Duration::from_micros(micros));
        Self { without_progress, total }
    }
}

/// How often the acknowledged bytes are read within one `without_progress` time. Reading more often costs time; reading
/// less often makes the time of the last progress less exact.
const PROGRESS_CHECKS: u32 = 5;

/// What an offer needs as a proof, and how much it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferSettings {
    /// Which proof a dispatch needs.
    pub ack_mode: AckMode,
    /// How long a dispatch may take.
    pub timeouts: DeliveryTimeouts,
    /// Maximum number of polls that the run is dispatched to, one after the other.
    pub max_dispatches: u8,
}

/// The state of one offer: a run or a job for which a runner is searched.
#[derive(Debug, Clone)]
pub struct Offer {
    settings: OfferSettings,
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
    pub const fn new(settings: OfferSettings) -> (Self, Step) {
        let offer = Self { settings, dispatches: 0, dispatch: None };
        (offer, Next::SelectPoll.step())
    }

    /// Number of polls that the run was dispatched to so far.
    #[must_use]
    pub const fn dispatches(&self) -> u8 {
        self.dispatches
    }

    /// Handles an event and returns the next step.
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
        match self.settings.ack_mode {
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
        let silent = dispatch.last_progress.after(self.settings.timeouts.without_progress);
        Some(silent.min(dispatch.started.after(self.settings.timeouts.total)))
    }

    fn next_check(&self, now: Moment) -> Moment {
        now.after(self.settings.timeouts.without_progress / PROGRESS_CHECKS)
    }

    fn next_dispatch(&mut self, reset: bool) -> Step {
        self.dispatch = None;
        let next = if self.dispatches < self.settings.max_dispatches {
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
    use crate::limits::DISPATCHES_PER_OFFER;

    const SILENCE: Duration = Duration::from_millis(250);

    fn offer(ack_mode: AckMode, bytes: usize) -> Offer {
        let timeouts = DeliveryTimeouts::for_run(bytes, SILENCE);
        let settings = OfferSettings { ack_mode, timeouts, max_dispatches: DISPATCHES_PER_OFFER };
        let (offer, first) = Offer::new(settings);
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
        // 100,000 bytes may take 200 ms longer than the time without progress.
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
