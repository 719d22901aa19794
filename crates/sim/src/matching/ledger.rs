//! What must always hold, held against what `core` did, without a model: who may get a run, how often, and when it
//! may be said that somebody has it. Its truth is DESIGN.md, "What must always hold".

use std::collections::HashMap;
use std::ops::AddAssign;

use pilotlight_core::delivery::{AckMode, Delivery, Event, OfferOutcome};

use super::course::Wish;
use super::world::Broken;

/// What became of every poll and every offer.
#[derive(Debug, Default)]
pub struct Ledger {
    polls: HashMap<u32, Fate>,
    waiting: usize,
    offers: HashMap<u32, Book>,
}

/// What became of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waits,
    /// It was chosen by this offer.
    Chosen(u32),
    /// It left, was replaced, retired, let go or never parked.
    Gone,
}

/// What is known of an offer.
#[derive(Debug, Default)]
struct Book {
    ack_mode: Option<AckMode>,
    dispatched_to: Vec<u32>,
    /// Of the dispatch under way.
    written: bool,
    acknowledged: bool,
    answers: Vec<OfferOutcome>,
}

const DISPATCHES: usize = 3;

/// How much came about: a history in which nothing happens proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Polls that got a run.
    pub chosen: u64,
    /// Polls that left without one.
    pub left: u64,
    /// Offers told warm on the kernel's acknowledgement.
    pub acknowledged: u64,
    /// Offers told warm on the write alone.
    pub unconfirmed: u64,
    /// Offers told cold.
    pub cold: u64,
    /// Those of them that three polls had failed.
    pub cold_after_three: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.chosen += other.chosen;
        self.left += other.left;
        self.acknowledged += other.acknowledged;
        self.unconfirmed += other.unconfirmed;
        self.cold += other.cold;
        self.cold_after_three += other.cold_after_three;
    }
}

impl Tally {
    const fn count_poll(&mut self, fate: Fate) {
        match fate {
            Fate::Waits => {}
            Fate::Chosen(_) => self.chosen += 1,
            Fate::Gone => self.left += 1,
        }
    }

    fn count_offer(&mut self, book: &Book) {
        match book.answers.first() {
            None | Some(OfferOutcome::Warm(Delivery::Unread)) => {}
            Some(OfferOutcome::Warm(Delivery::Acknowledged)) => self.acknowledged += 1,
            Some(OfferOutcome::Warm(Delivery::Unconfirmed)) => self.unconfirmed += 1,
            Some(OfferOutcome::Cold) => {
                self.cold += 1;
                self.cold_after_three += u64::from(book.dispatched_to.len() == DISPATCHES);
            }
        }
    }
}

impl Ledger {
    /// How much came about so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        self.polls.values().for_each(|fate| tally.count_poll(*fate));
        self.offers.values().for_each(|book| tally.count_offer(book));
        tally
    }

    /// The poll waits.
    ///
    /// # Errors
    /// When there was such a poll before.
    pub fn parked(&mut self, poll: u32) -> Result<(), Broken> {
        self.waiting += 1;
        let before = self.polls.insert(poll, Fate::Waits);
        Broken::unless(before.is_none(), || format!("poll {poll} parked again: {before:?}"))
    }

    /// The poll left.
    ///
    /// # Errors
    /// When it did not wait.
    pub fn left(&mut self, poll: u32) -> Result<(), Broken> {
        self.stops_waiting(poll, Fate::Gone)
    }

    /// Whether the poll waits, by all that was said of it.
    #[must_use]
    pub fn waits(&self, poll: u32) -> bool {
        self.polls.get(&poll) == Some(&Fate::Waits)
    }

    /// Polls that wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// A parked poll gets at most one run, and a poll that left gets none.
    ///
    /// # Errors
    /// When it had a run, or did not wait.
    pub fn chosen(&mut self, poll: u32, run: u32) -> Result<(), Broken> {
        self.stops_waiting(poll, Fate::Chosen(run))
    }

    fn stops_waiting(&mut self, poll: u32, fate: Fate) -> Result<(), Broken> {
        let before = self.polls.insert(poll, fate);
        Broken::unless(before == Some(Fate::Waits), || format!("poll {poll}: {fate:?} after {before:?}"))?;
        self.waiting -= 1;
        Ok(())
    }

    /// A run is offered.
    pub fn offered(&mut self, wish: &Wish) {
        let book = Book { ack_mode: Some(wish.ack_mode), ..Book::default() };
        self.offers.insert(wish.run, book);
    }

    /// The run goes to this poll.
    ///
    /// # Errors
    /// When it went to enough polls already, or had its answer.
    pub fn dispatched(&mut self, run: u32, poll: u32) -> Result<(), Broken> {
        let book = self.offers.entry(run).or_default();
        book.dispatched_to.push(poll);
        (book.written, book.acknowledged) = (false, false);
        let polls = &book.dispatched_to;
        Broken::unless(polls.len() <= DISPATCHES, || format!("offer {run} went to polls {polls:?}"))?;
        Broken::unless(book.answers.is_empty(), || format!("offer {run} goes on after its answer"))
    }

    /// `core` was told this of the dispatch under way.
    pub fn told(&mut self, run: u32, event: Event) {
        let book = self.offers.entry(run).or_default();
        match event {
            Event::Written => book.written = true,
            Event::Acknowledged => book.acknowledged = true,
            Event::Dispatched { .. }
            | Event::NoPoll
            | Event::ConnectionEnded
            | Event::ProgressChecked { .. } => {}
        }
    }

    /// An offer has one answer, and warm needs its proof.
    ///
    /// # Errors
    /// When either is not so.
    pub fn answered(&mut self, run: u32, answer: OfferOutcome) -> Result<(), Broken> {
        let book = self.offers.entry(run).or_default();
        book.answers.push(answer);
        Broken::unless(book.answers.len() == 1, || format!("offer {run} was answered {:?}", book.answers))?;
        let proven = match answer {
            OfferOutcome::Cold => true,
            OfferOutcome::Warm(Delivery::Acknowledged) => book.acknowledged && !book.dispatched_to.is_empty(),
            OfferOutcome::Warm(Delivery::Unconfirmed) => {
                book.written && book.ack_mode == Some(AckMode::Written)
            }
            OfferOutcome::Warm(Delivery::Unread) => false,
        };
        Broken::unless(proven, || format!("offer {run} was answered {answer:?} on {book:?}"))
    }
}
