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
    pub outcome: OfferOutcome,
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
    pub(crate) assigned: Option<(RunnerId, PollId)>,
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
    records: VecDeque<OfferRecord>,
    next: u64,
    totals: Totals,
    clear_count: u64,
}

impl History {
    /// Remembers an offer; beyond the cap the oldest is forgotten.
    pub fn push(&mut self, record: OfferRecord) -> RecordId {
        match record.outcome {
            OfferOutcome::Warm(_) => self.totals.warm += 1,
            OfferOutcome::Cold => self.totals.cold += 1,
        }
        if self.records.len() == HISTORY_RECORDS {
            self.records.pop_front();
        }
        if self.records.capacity() == 0 {
            // Room for all of them at once: growing would copy, and the system gives memory only where it is used.
            self.records.reserve_exact(HISTORY_RECORDS);
        }
        let assigned = record.runner.as_ref().map(|assigned| (assigned.runner.id.clone(), assigned.poll));
        self.records.push_back(record);
        self.next += 1;
        RecordId { number: self.next - 1, assigned }
    }

    /// The program never read this run after all. `None` when the entry is gone.
    pub fn mark_unread(&mut self, record_id: &RecordId) -> Option<&OfferRecord> {
        let from_newest = self.next.checked_sub(record_id.number + 1)?;
        let index = self.records.len().checked_sub(usize::try_from(from_newest).ok()? + 1)?;
        let record = self.records.get_mut(index)?;
        record.outcome = OfferOutcome::Warm(Delivery::Unread);
        Some(record)
    }

    /// Forgets all offers and counts.
    pub fn clear(&mut self) {
        self.records = VecDeque::new();
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
        self.records.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Counts since the start or the last clearing.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// The offers from the newest to the oldest.
    pub fn newest_first(&self) -> impl Iterator<Item = &OfferRecord> {
        self.records.iter().rev()
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
            outcome: OfferOutcome::Cold,
            runner: None,
        }
    }

    #[test]
    fn the_latest_records_are_kept_and_all_are_counted() {
        let mut history = History::default();
        for run in 0..=HISTORY_RECORDS {
            history.push(cold(run));
        }
        assert_eq!(history.len(), HISTORY_RECORDS);
        assert_eq!(history.totals(), Totals { warm: 0, cold: HISTORY_RECORDS as u64 + 1 });
        assert_eq!(history.newest_first().next(), Some(&cold(HISTORY_RECORDS)));
    }

    #[test]
    fn a_record_can_be_marked_unread_while_it_is_kept() {
        let mut history = History::default();
        let gone = history.push(cold(0));
        let remembered = history.push(cold(1));
        (2..=HISTORY_RECORDS).for_each(|run| _ = history.push(cold(run)));
        assert_eq!(history.mark_unread(&gone), None);
        assert_eq!(
            history.mark_unread(&remembered).map(|record| record.run.to_string()),
            Some("run_1".into())
        );
        history.clear();
        assert_eq!(history.newest_first_with_numbers().next(), None);
        assert_eq!(history.mark_unread(&remembered), None);
        let newest = history.push(cold(7));
        assert_eq!(
            history.newest_first_with_numbers().map(|(number, _)| number).collect::<Vec<_>>(),
            [HISTORY_RECORDS as u64 + 1]
        );
        assert_eq!(history.mark_unread(&newest).map(|record| record.run.to_string()), Some("run_7".into()));
    }
}
