//! One value per time bucket of the last hour. The size is fixed.

use crate::limits::{STATS_BUCKET_WIDTH, STATS_BUCKETS};
use crate::time::Moment;

/// The index of a time bucket, in units of [`STATS_BUCKET_WIDTH`] since the start.
pub type BucketIndex = u64;

/// The values of the last hour. Buckets without a value are omitted.
#[derive(Debug)]
pub struct RollingWindow<T> {
    // Each bucket index has one slot; a smaller index in the slot is out of date.
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
    /// The value of the bucket that contains this moment; `None` when it is more than an hour old.
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

/// The bucket that contains this moment.
#[must_use]
pub fn bucket_index(at: Moment) -> BucketIndex {
    at.as_micros() / STATS_BUCKET_WIDTH.as_micros() as u64
}

fn slot_index(index: BucketIndex) -> usize {
    usize::try_from(index % STATS_BUCKETS as u64).expect("a remainder is smaller than its divisor")
}
