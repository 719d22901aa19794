//! The last hour in stretches of time, each with a value of its own. Its size is fixed.

use crate::limits::{STATS_BUCKET_WIDTH, STATS_BUCKETS};
use crate::time::Moment;

/// Which stretch of time, counted in [`STATS_BUCKET_WIDTH`] from the start.
pub type BucketIndex = u64;

/// The last hour. A stretch of time without a value is left out.
#[derive(Debug)]
pub struct RollingWindow<T> {
    // A number's value has one place; an older number there is out of date.
    slots: Box<[Slot<T>]>,
}

#[derive(Debug, Clone)]
struct Slot<T> {
    index: BucketIndex,
    value: Option<T>,
}

impl<T: Clone + Default> Default for RollingWindow<T> {
    fn default() -> Self {
        Self { slots: vec![Slot { index: 0, value: None }; STATS_BUCKETS].into() }
    }
}

impl<T: Clone + Default> RollingWindow<T> {
    /// The value of that moment's stretch of time, to be changed; `None` when that is over an hour ago.
    pub fn value_at(&mut self, at: Moment) -> Option<&mut T> {
        let index = bucket_index(at);
        let slot = &mut self.slots[slot_index(index)];
        if slot.index < index {
            *slot = Slot { index, value: None };
        }
        (slot.index == index).then(|| slot.value.get_or_insert_default())
    }

    /// The values of the last hour, the oldest first.
    pub fn last_hour(&self, now: Moment) -> impl Iterator<Item = (BucketIndex, &T)> {
        let last = bucket_index(now);
        let first = (last + 1).saturating_sub(STATS_BUCKETS as u64);
        (first..=last).filter_map(|index| {
            let slot = &self.slots[slot_index(index)];
            if slot.index == index { slot.value.as_ref().map(|value| (index, value)) } else { None }
        })
    }
}

/// The stretch of time that this moment is in.
#[must_use]
pub fn bucket_index(at: Moment) -> BucketIndex {
    at.as_micros() / STATS_BUCKET_WIDTH.as_micros() as u64
}

fn slot_index(index: BucketIndex) -> usize {
    usize::try_from(index % STATS_BUCKETS as u64).expect("a remainder is smaller than its divisor")
}
