//! Remembers the latest offers and what became of them, in a ring. For people; nothing is decided by it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::delivery::{Delivery, OfferOutcome};
use crate::ids::{RunId, Runner, RunnerId};
use crate::limits::HISTORY_RECORDS;
use crate::pool::{PollId, PoolKey};
use crate::time::Moment;

/// An offer that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferRecord {
    /// The run.
    pub run: RunId,
    /// What fits it.
    pub key: PoolKey,
    /// When the supervisor was answered.
    pub at: Moment,
    /// From the offer to the answer.
    pub took: Duration,
    /// Polls it was dispatched to.
    pub dispatches: u8,
    /// What the supervisor was told; a delivery may turn out unread later.
    pub answer: OfferOutcome,
    /// Who got it; `None` when cold.
    pub runner: Option<AssignedRunner>,
}

/// The runner that got a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedRunner {
    /// Who.
    pub runner: Runner,
    /// By which poll.
    pub poll: PollId,
    /// When that was chosen.
    pub selected_at: Moment,
    /// How long it had waited.
    pub waited: Duration,
}

/// Names one entry, for ever, and who took the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordId {
    number: u64,
    pub(crate) taker: Option<(RunnerId, PollId)>,
}

/// Counts since the start or the last clearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Runs that went to a waiting runner.
    pub warm: u64,
    /// Runs that did not.
    pub cold: u64,
}

/// The latest offers.
#[derive(Debug, Default)]
pub struct History {
    ring: VecDeque<OfferRecord>,
    next: u64,
    totals: Totals,
    clear_count: u64,
}

impl History {
    /// Remembers an offer; beyond the cap the oldest is forgotten.
    pub fn push(&mut self, offered: OfferRecord) -> RecordId {
        match offered.answer {
            OfferOutcome::Warm(_) => self.totals.warm += 1,
            OfferOutcome::Cold => self.totals.cold += 1,
        }
        if self.ring.len() == HISTORY_RECORDS {
            self.ring.pop_front();
        }
        if self.ring.capacity() == 0 {
            // Room for all of them at once: growing would copy, and the system gives memory only where it is used.
            self.ring.reserve_exact(HISTORY_RECORDS);
        }
        let taker = offered.runner.as_ref().map(|taker| (taker.runner.id.clone(), taker.poll));
        self.ring.push_back(offered);
        self.next += 1;
        RecordId { number: self.next - 1, taker }
    }

    /// The program never read this run after all. `None` when the entry is gone.
    pub fn mark_unread(&mut self, entry: &RecordId) -> Option<&OfferRecord> {
        let from_newest = self.next.checked_sub(entry.number + 1)?;
        let index = self.ring.len().checked_sub(usize::try_from(from_newest).ok()? + 1)?;
        let offered = self.ring.get_mut(index)?;
        offered.answer = OfferOutcome::Warm(Delivery::Unread);
        Some(offered)
    }

    /// Forgets all offers and counts.
    pub fn clear(&mut self) {
        self.ring = VecDeque::new();
        self.totals = Totals::default();
        self.clear_count += 1;
    }

    /// How often it was cleared: whoever compares two looks knows whether something was forgotten on purpose.
    #[must_use]
    pub const fn clear_count(&self) -> u64 {
        self.clear_count
    }

    /// Offers remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Counts since the start or the last clearing.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// The offers from the newest to the oldest.
    pub fn newest_first(&self) -> impl Iterator<Item = &OfferRecord> {
        self.ring.iter().rev()
    }

    /// The same with their numbers, which are never given again.
    pub fn newest_first_with_numbers(&self) -> impl Iterator<Item = (u64, &OfferRecord)> {
        (0..self.next).rev().zip(self.newest_first())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Amount, DeploymentId, Version};

    fn cold(run: usize) -> OfferRecord {
        OfferRecord {
            run: RunId::parse(&format!("run_{run}")).unwrap(),
            key: PoolKey {
                deployment: DeploymentId::parse("dep").unwrap(),
                version: Version::parse("1").unwrap(),
                cpu: Amount::ZERO,
                memory: Amount::ZERO,
            },
            at: Moment::from_micros(0),
            took: Duration::ZERO,
            dispatches: 0,
            answer: OfferOutcome::Cold,
            runner: None,
        }
    }

    #[test]
    fn the_ring_keeps_the_latest_and_counts_all() {
        let mut history = History::default();
        for run in 0..=HISTORY_RECORDS {
            history.push(cold(run));
        }
        assert_eq!(history.len(), HISTORY_RECORDS);
        assert_eq!(history.totals(), Totals { warm: 0, cold: HISTORY_RECORDS as u64 + 1 });
        assert_eq!(history.newest_first().next(), Some(&cold(HISTORY_RECORDS)));
    }

    #[test]
    fn an_entry_can_turn_out_unread_while_it_is_remembered() {
        let mut history = History::default();
        let gone = history.push(cold(0));
        let kept = history.push(cold(1));
        (2..=HISTORY_RECORDS).for_each(|run| _ = history.push(cold(run)));
        assert_eq!(history.mark_unread(&gone), None);
        assert_eq!(history.mark_unread(&kept).map(|offered| offered.run.to_string()), Some("run_1".into()));
        history.clear();
        assert_eq!(history.newest_first_with_numbers().next(), None);
        assert_eq!(history.mark_unread(&kept), None);
        let newest = history.push(cold(7));
        assert_eq!(
            history.newest_first_with_numbers().map(|(number, _)| number).collect::<Vec<_>>(),
            [HISTORY_RECORDS as u64 + 1]
        );
        assert_eq!(history.mark_unread(&newest).map(|offered| offered.run.to_string()), Some("run_7".into()));
    }
}
