//! The latest offers and their outcomes, for the dashboard. No decision uses them. The number of records is bounded.

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
    /// The pool key of the run.
    pub key: PoolKey,
    /// When the supervisor was answered.
    pub at: Moment,
    /// Time from the offer to its answer.
    pub took: Duration,
    /// Number of polls that the run was dispatched to.
    pub dispatches: u8,
    /// The answer to the supervisor. A delivery may become `Unread` later.
    pub outcome: OfferOutcome,
    /// The runner that got the run; `None` when the outcome is cold.
    pub runner: Option<AssignedRunner>,
}

/// The runner that got a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignedRunner {
    /// The runner.
    pub runner: Runner,
    /// The poll that was selected.
    pub poll: PollId,
    /// When the poll was selected.
    pub selected_at: Moment,
    /// How long the poll had waited.
    pub waited: Duration,
}

/// Identifies one record, and the runner that got its run. It is never reused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordId {
    number: u64,
    pub(crate) assigned: Option<(RunnerId, PollId)>,
}

/// Counts since the start, or since the history was last cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Runs that a waiting runner got.
    pub warm: u64,
    /// Runs that had to be cold-started.
    pub cold: u64,
}

/// The latest offers, at most [`HISTORY_RECORDS`].
#[derive(Debug, Default)]
pub struct History {
    records: VecDeque<OfferRecord>,
    next: u64,
    totals: Totals,
    clear_count: u64,
}

impl History {
    /// Adds a record. Beyond the cap the oldest record is removed.
    pub fn push(&mut self, record: OfferRecord) -> RecordId {
        match record.outcome {
            OfferOutcome::Warm(_) => self.totals.warm += 1,
            OfferOutcome::Cold => self.totals.cold += 1,
        }
        if self.records.len() == HISTORY_RECORDS {
            self.records.pop_front();
        }
        if self.records.capacity() == 0 {
            // Reserves space for all records: growing would copy them, and the system provides memory only when it is
            // written.
            self.records.reserve_exact(HISTORY_RECORDS);
        }
        let assigned = record.runner.as_ref().map(|assigned| (assigned.runner.id.clone(), assigned.poll));
        self.records.push_back(record);
        self.next += 1;
        RecordId { number: self.next - 1, assigned }
    }

    /// Records that the runner's program did not read the run. `None` when the record was removed.
    pub fn mark_unread(&mut self, record_id: &RecordId) -> Option<&OfferRecord> {
        let from_newest = self.next.checked_sub(record_id.number + 1)?;
        let index = self.records.len().checked_sub(usize::try_from(from_newest).ok()? + 1)?;
        let record = self.records.get_mut(index)?;
        record.outcome = OfferOutcome::Warm(Delivery::Unread);
        Some(record)
    }

    /// Removes all records and resets the counts.
    pub fn clear(&mut self) {
        self.records = VecDeque::new();
        self.totals = Totals::default();
        self.clear_count += 1;
    }

    /// How often the history was cleared. By comparing two values a reader notices that records were removed on
    /// purpose.
    #[must_use]
    pub const fn clear_count(&self) -> u64 {
        self.clear_count
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Counts since the start, or since the history was last cleared.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// The records from the newest to the oldest.
    pub fn newest_first(&self) -> impl Iterator<Item = &OfferRecord> {
        self.records.iter().rev()
    }

    /// The records from the newest to the oldest, each with its number. Numbers are never reused.
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
