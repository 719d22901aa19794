//! Counts the offers of the last hour by time: how many were warm and cold, and how long their answers took. For
//! people; nothing is decided by it. Its size is fixed: an hour of buckets, each with a small histogram.

use std::time::Duration;

use crate::delivery::OfferOutcome;
use crate::rolling_window::RollingWindow;
pub use crate::rolling_window::{BucketIndex, bucket_index};
use crate::time::Moment;

/// The last hour.
#[derive(Debug, Default)]
pub struct OfferStats {
    hour: RollingWindow<OfferBucket>,
}

/// What became of the offers that ended within one stretch of time.
#[derive(Debug, Clone, Default)]
pub struct OfferBucket {
    warm: u32,
    cold: u32,
    took: Times,
}

impl OfferStats {
    /// An offer has ended at that moment, so long after it came.
    pub fn add(&mut self, at: Moment, took: Duration, answer: OfferOutcome) {
        if let Some(bucket) = self.hour.at(at) {
            bucket.add(took, answer);
        }
    }

    /// The buckets of the last hour in which an offer ended, the oldest first.
    pub fn last_hour(&self, now: Moment) -> impl Iterator<Item = (BucketIndex, &OfferBucket)> {
        self.hour.last_hour(now)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl OfferBucket {
    fn add(&mut self, took: Duration, answer: OfferOutcome) {
        match answer {
            OfferOutcome::Warm(_) => {
                self.warm = self.warm.saturating_add(1);
                self.took.add(took);
            }
            OfferOutcome::Cold => self.cold = self.cold.saturating_add(1),
        }
    }

    /// Runs that went to a waiting runner.
    #[must_use]
    pub const fn warm(&self) -> u32 {
        self.warm
    }

    /// Runs that did not.
    #[must_use]
    pub const fn cold(&self) -> u32 {
        self.cold
    }

    /// The time from the offer to its answer that this share of the warm ones stayed within, to about an eighth;
    /// `None` when none was warm.
    #[must_use]
    pub fn latency_percentile(&self, per_mille: u16) -> Option<Duration> {
        self.took.latency_percentile(per_mille)
    }
}

/// Four steps for each doubling, from 4 us to beyond 4 s.
const STEPS: usize = 80;
const FIRST_DOUBLING: u32 = 2;

#[derive(Debug, Clone)]
struct Times([u32; STEPS]);

impl Default for Times {
    fn default() -> Self {
        Self([0; STEPS])
    }
}

impl Times {
    fn add(&mut self, took: Duration) {
        let count = &mut self.0[step(took)];
        *count = count.saturating_add(1);
    }

    fn latency_percentile(&self, per_mille: u16) -> Option<Duration> {
        let all: u64 = self.0.iter().copied().map(u64::from).sum();
        let wanted = (all * u64::from(per_mille)).div_ceil(1000).max(1);
        let mut seen = 0;
        let step = self.0.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        })?;
        Some(middle(step))
    }
}

fn step(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1 << FIRST_DOUBLING);
    let doubling = micros.ilog2();
    let quarter = (micros >> (doubling - 2)) & 3;
    let step = (doubling - FIRST_DOUBLING) as usize * 4 + usize::try_from(quarter).unwrap_or(3);
    step.min(STEPS - 1)
}

fn middle(step: usize) -> Duration {
    let quarter = 1_u64 << (step / 4);
    let from = quarter * (4 + (step % 4) as u64);
    Duration::from_micros(from + quarter / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Delivery;
    use crate::limits::{STATS_BUCKET_WIDTH, STATS_BUCKETS};

    const WARM: OfferOutcome = OfferOutcome::Warm(Delivery::Acknowledged);

    fn at(buckets: u64) -> Moment {
        Moment::from_micros(STATS_BUCKET_WIDTH.as_micros() as u64 * buckets + 7)
    }

    fn counts(series: &OfferStats, now: Moment) -> Vec<(BucketIndex, u32, u32)> {
        series.last_hour(now).map(|(number, bucket)| (number, bucket.warm(), bucket.cold())).collect()
    }

    #[test]
    fn offers_are_counted_in_the_stretch_of_time_in_which_they_ended() {
        let mut series = OfferStats::default();
        for (bucket, answer) in
            [(0, WARM), (0, OfferOutcome::Cold), (1, WARM), (1, WARM), (3, OfferOutcome::Cold)]
        {
            series.add(at(bucket), Duration::from_micros(50), answer);
        }
        assert_eq!(counts(&series, at(3)), [(0, 1, 1), (1, 2, 0), (3, 0, 1)]);
        series.clear();
        assert_eq!(counts(&series, at(3)), []);
    }

    #[test]
    fn an_hour_is_remembered_and_not_more() {
        let hour = STATS_BUCKETS as u64;
        for (now, remembered) in [(4, true), (hour + 3, true), (hour + 4, false), (9 * hour, false)] {
            let mut series = OfferStats::default();
            series.add(at(4), Duration::ZERO, WARM);
            assert_eq!(!counts(&series, at(now)).is_empty(), remembered, "{now}");
        }
    }

    #[test]
    fn a_place_is_used_again_and_never_mixed() {
        let hour = STATS_BUCKETS as u64;
        let mut series = OfferStats::default();
        series.add(at(5), Duration::ZERO, OfferOutcome::Cold);
        series.add(at(hour + 5), Duration::ZERO, WARM);
        // An offer that ended an hour ago and is told of now changes nothing.
        series.add(at(5), Duration::ZERO, OfferOutcome::Cold);
        assert_eq!(counts(&series, at(hour + 5)), [(hour + 5, 1, 0)]);
    }

    #[test]
    fn a_share_of_the_answers_stayed_within_a_time() {
        let mut series = OfferStats::default();
        (0..98).for_each(|_| series.add(at(0), Duration::from_micros(60), WARM));
        (0..2).for_each(|_| series.add(at(0), Duration::from_millis(40), WARM));
        series.add(at(0), Duration::from_secs(1), OfferOutcome::Cold);
        let (_, bucket) = series.last_hour(at(0)).next().unwrap();
        for (per_mille, micros) in [(500, 60), (980, 60), (990, 40_000)] {
            let within = bucket.latency_percentile(per_mille).unwrap().as_micros();
            assert!(within.abs_diff(micros) * 8 <= micros, "{per_mille}: {within} us for {micros} us");
        }
    }

    #[test]
    fn where_nothing_was_warm_no_time_is_told() {
        let mut series = OfferStats::default();
        series.add(at(0), Duration::from_secs(1), OfferOutcome::Cold);
        assert_eq!(series.last_hour(at(0)).next().unwrap().1.latency_percentile(500), None);
    }

    #[test]
    fn every_time_has_a_step_and_is_told_to_an_eighth() {
        assert_eq!(step(Duration::ZERO), 0);
        assert_eq!(step(Duration::MAX), STEPS - 1);
        for micros in (4..5000).chain([65_535, 65_536, 1_000_000, 4_000_000]) {
            let told = middle(step(Duration::from_micros(micros))).as_micros();
            assert!(told.abs_diff(u128::from(micros)) * 8 <= u128::from(micros), "{told} us for {micros} us");
        }
    }
}
