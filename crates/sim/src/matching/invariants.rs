//! Rules that must always hold, checked against `core`'s outputs without a model: which poll may get a run, how often,
//! and when an offer may be answered warm. Source: ARCHITECTURE.md, "What must always hold".

use std::collections::HashMap;
use std::ops::AddAssign;

use pilotlight_core::delivery::{AckMode, Delivery, DeliveryEvent, OfferOutcome};

use super::checked_offer::OfferSpec;
use super::violation::Violation;

/// The outcomes of all polls and offers.
#[derive(Debug, Default)]
pub struct Invariants {
    polls: HashMap<u32, PollState>,
    parked_count: usize,
    offers: HashMap<u32, OfferHistory>,
}

/// The state of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PollState {
    Parked,
    /// The poll was selected for this offer.
    Selected(u32),
    /// The poll left, was replaced, retired or expired, or was never parked.
    Left,
}

/// The events of an offer.
#[derive(Debug, Default)]
struct OfferHistory {
    ack_mode: Option<AckMode>,
    dispatched_to: Vec<u32>,
    /// Whether the current dispatch is written.
    written: bool,
    acknowledged: bool,
    outcomes: Vec<OfferOutcome>,
}

const DISPATCHES: usize = 3;

/// Number of events that the simulation covered. A history in which nothing happens proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Polls that got a run.
    pub selected: u64,
    /// Polls that left without a run.
    pub left: u64,
    /// Offers answered warm after the kernel's acknowledgement.
    pub acknowledged: u64,
    /// Offers answered warm after the write only.
    pub unconfirmed: u64,
    /// Offers answered cold.
    pub cold: u64,
    /// Offers answered cold after three failed dispatches.
    pub cold_after_three: u64,
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        self.selected += other.selected;
        self.left += other.left;
        self.acknowledged += other.acknowledged;
        self.unconfirmed += other.unconfirmed;
        self.cold += other.cold;
        self.cold_after_three += other.cold_after_three;
    }
}

impl Coverage {
    const fn count_poll(&mut self, state: PollState) {
        match state {
            PollState::Parked => {}
            PollState::Selected(_) => self.selected += 1,
            PollState::Left => self.left += 1,
        }
    }

    fn count_offer(&mut self, history: &OfferHistory) {
        match history.outcomes.first() {
            None | Some(OfferOutcome::Warm(Delivery::Unread)) => {}
            Some(OfferOutcome::Warm(Delivery::Acknowledged)) => self.acknowledged += 1,
            Some(OfferOutcome::Warm(Delivery::Unconfirmed)) => self.unconfirmed += 1,
            Some(OfferOutcome::Cold) => {
                self.cold += 1;
                self.cold_after_three += u64::from(history.dispatched_to.len() == DISPATCHES);
            }
        }
    }
}

impl Invariants {
    /// The coverage so far.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let mut coverage = Coverage::default();
        self.polls.values().for_each(|state| coverage.count_poll(*state));
        self.offers.values().for_each(|history| coverage.count_offer(history));
        coverage
    }

    /// The poll was parked.
    ///
    /// # Errors
    /// When the poll's number was used before.
    pub fn poll_parked(&mut self, poll: u32) -> Result<(), Violation> {
        self.parked_count += 1;
        let before = self.polls.insert(poll, PollState::Parked);
        Violation::check(before.is_none(), || format!("poll {poll} parked again: {before:?}"))
    }

    /// The poll left.
    ///
    /// # Errors
    /// When the poll was not parked.
    pub fn poll_left(&mut self, poll: u32) -> Result<(), Violation> {
        self.set_state(poll, PollState::Left)
    }

    /// Whether the poll is parked, according to the recorded events.
    #[must_use]
    pub fn is_parked(&self, poll: u32) -> bool {
        self.polls.get(&poll) == Some(&PollState::Parked)
    }

    /// Number of parked polls.
    #[must_use]
    pub const fn parked_count(&self) -> usize {
        self.parked_count
    }

    /// The poll was selected. A parked poll gets at most one run, and a poll that left gets none.
    ///
    /// # Errors
    /// When the poll has a run already, or was not parked.
    pub fn poll_selected(&mut self, poll: u32, run: u32) -> Result<(), Violation> {
        self.set_state(poll, PollState::Selected(run))
    }

    fn set_state(&mut self, poll: u32, state: PollState) -> Result<(), Violation> {
        let before = self.polls.insert(poll, state);
        Violation::check(before == Some(PollState::Parked), || {
            format!("poll {poll}: {state:?} after {before:?}")
        })?;
        self.parked_count -= 1;
        Ok(())
    }

    /// A run is offered.
    pub fn offer_started(&mut self, spec: &OfferSpec) {
        let history = OfferHistory { ack_mode: Some(spec.ack_mode), ..OfferHistory::default() };
        self.offers.insert(spec.run, history);
    }

    /// The run was dispatched to this poll.
    ///
    /// # Errors
    /// When the run was dispatched to the maximum number of polls before, or was answered.
    pub fn offer_dispatched(&mut self, run: u32, poll: u32) -> Result<(), Violation> {
        let history = self.offers.entry(run).or_default();
        history.dispatched_to.push(poll);
        (history.written, history.acknowledged) = (false, false);
        let polls = &history.dispatched_to;
        Violation::check(polls.len() <= DISPATCHES, || {
            format!("offer {run} was dispatched to polls {polls:?}")
        })?;
        Violation::check(history.outcomes.is_empty(), || {
            format!("offer {run} is dispatched after its answer")
        })
    }

    /// `core` got this event about the current dispatch.
    pub fn event_delivered(&mut self, run: u32, event: DeliveryEvent) {
        let history = self.offers.entry(run).or_default();
        match event {
            DeliveryEvent::Written => history.written = true,
            DeliveryEvent::Acknowledged => history.acknowledged = true,
            DeliveryEvent::Dispatched { .. }
            | DeliveryEvent::NoPoll
            | DeliveryEvent::ConnectionEnded
            | DeliveryEvent::ProgressChecked { .. } => {}
        }
    }

    /// The offer was answered. An offer has one answer, and a warm answer needs the acknowledgement of its mode.
    ///
    /// # Errors
    /// When one of these rules is broken.
    pub fn offer_finished(&mut self, run: u32, outcome: OfferOutcome) -> Result<(), Violation> {
        let history = self.offers.entry(run).or_default();
        history.outcomes.push(outcome);
        Violation::check(history.outcomes.len() == 1, || {
            format!("offer {run} was answered {:?}", history.outcomes)
        })?;
        let is_allowed = match outcome {
            OfferOutcome::Cold => true,
            OfferOutcome::Warm(Delivery::Acknowledged) => {
                history.acknowledged && !history.dispatched_to.is_empty()
            }
            OfferOutcome::Warm(Delivery::Unconfirmed) => {
                history.written && history.ack_mode == Some(AckMode::Written)
            }
            OfferOutcome::Warm(Delivery::Unread) => false,
        };
        Violation::check(is_allowed, || format!("offer {run} was answered {outcome:?} after {history:?}"))
    }
}
