//! Counts the offers of the last hour per time bucket: how many were warm and cold, and how long their answers took.
//! The counts are for the dashboard; no decision uses them. The size is fixed: one hour of buckets, each with a small
//! histogram.

use std::time::Duration;

use crate::delivery::OfferOutcome;
use crate::rolling_window::RollingWindow;
pub use crate::rolling_window::{BucketIndex, bucket_index};
use crate::time::Moment;

/// The offer counts of the last hour.
#[derive(Debug, Default)]
pub struct OfferStats {
    window: RollingWindow<OfferBucket>,
}

/// The outcomes of the offers that ended within one time bucket.
#[derive(Debug, Clone, Default)]
pub struct OfferBucket {
    warm: u32,
    cold: u32,
    latencies: LatencyHistogram,
}

impl OfferStats {
    /// Counts an offer that ended at this moment, `took` after it arrived.
    pub fn add(&mut self, at: Moment, took: Duration, outcome: OfferOutcome) {
        if let Some(bucket) = self.window.value_at(at) {
            bucket.add(took, outcome);
        }
    }

    /// The buckets of the last hour that have offers, the oldest first.
    pub fn last_hour(&self, now: Moment) -> impl Iterator<Item = (BucketIndex, &OfferBucket)> {
        self.window.last_hour(now)
    }

    /// Removes all counts.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl OfferBucket {
    fn add(&mut self, took: Duration, outcome: OfferOutcome) {
        match outcome {
            OfferOutcome::Warm(_) => {
                self.warm = self.warm.saturating_add(1);
                self.latencies.add(took);
            }
            OfferOutcome::Cold => self.cold = self.cold.saturating_add(1),
        }
    }

    /// Number of runs that a waiting runner got.
    #[must_use]
    pub const fn warm(&self) -> u32 {
        self.warm
    }

    /// Number of runs that had to be cold-started.
    #[must_use]
    pub const fn cold(&self) -> u32 {
        self.cold
    }

    /// Percentile of the time from a warm offer to its answer, accurate to about an eighth. `None` when no offer was
    /// warm.
    #[must_use]
    pub fn latency_percentile(&self, per_mille: u16) -> Option<Duration> {
        self.latencies.latency_percentile(per_mille)
    }
}

/// Number of histogram steps: four for each doubling, from 4 us to more than 4 s.
const STEPS: usize = 80;
const FIRST_DOUBLING: u32 = 2;

#[derive(Debug, Clone)]
struct LatencyHistogram([u32; STEPS]);

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self([0; STEPS])
    }
}

impl LatencyHistogram {
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
        Some(midpoint(step))
    }
}

fn step(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1 << FIRST_DOUBLING);
    let doubling = micros.ilog2();
    let quarter = (micros >> (doubling - 2)) & 3;
    let step = (doubling - FIRST_DOUBLING) as usize * 4 + usize::try_from(quarter).unwrap_or(3);
    step.min(STEPS - 1)
}

fn midpoint(step: usize) -> Duration {
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

    fn counts(stats: &OfferStats, now: Moment) -> Vec<(BucketIndex, u32, u32)> {
        stats.last_hour(now).map(|(number, bucket)| (number, bucket.warm(), bucket.cold())).collect()
    }

    #[test]
    fn offers_are_counted_in_the_bucket_in_which_they_ended() {
        let mut stats = OfferStats::default();
        for (bucket, outcome) in
            [(0, WARM), (0, OfferOutcome::Cold), (1, WARM), (1, WARM), (3, OfferOutcome::Cold)]
        {
            stats.add(at(bucket), Duration::from_micros(50), outcome);
        }
        assert_eq!(counts(&stats, at(3)), [(0, 1, 1), (1, 2, 0), (3, 0, 1)]);
        stats.clear();
        assert_eq!(counts(&stats, at(3)), []);
    }

    #[test]
    fn one_hour_is_kept() {
        let hour = STATS_BUCKETS as u64;
        for (now, remembered) in [(4, true), (hour + 3, true), (hour + 4, false), (9 * hour, false)] {
            let mut stats = OfferStats::default();
            stats.add(at(4), Duration::ZERO, WARM);
            assert_eq!(!counts(&stats, at(now)).is_empty(), remembered, "{now}");
        }
    }

    #[test]
    fn a_reused_slot_has_only_its_new_bucket() {
        let hour = STATS_BUCKETS as u64;
        let mut stats = OfferStats::default();
        stats.add(at(5), Duration::ZERO, OfferOutcome::Cold);
        stats.add(at(hour + 5), Duration::ZERO, WARM);
        // An offer that ended an hour ago and is reported only now is not counted.
        stats.add(at(5), Duration::ZERO, OfferOutcome::Cold);
        assert_eq!(counts(&stats, at(hour + 5)), [(hour + 5, 1, 0)]);
    }

    #[test]
    fn percentiles_are_accurate_to_an_eighth() {
        let mut stats = OfferStats::default();
        (0..98).for_each(|_| stats.add(at(0), Duration::from_micros(60), WARM));
        (0..2).for_each(|_| stats.add(at(0), Duration::from_millis(40), WARM));
        stats.add(at(0), Duration::from_secs(1), OfferOutcome::Cold);
        let (_, bucket) = stats.last_hour(at(0)).next().unwrap();
        for (per_mille, micros) in [(500, 60), (980, 60), (990, 40_000)] {
            let within = bucket.latency_percentile(per_mille).unwrap().as_micros();
            assert!(within.abs_diff(micros) * 8 <= micros, "{per_mille}: {within} us for {micros} us");
        }
    }

    #[test]
    fn there_is_no_percentile_without_a_warm_offer() {
        let mut stats = OfferStats::default();
        stats.add(at(0), Duration::from_secs(1), OfferOutcome::Cold);
        assert_eq!(stats.last_hour(at(0)).next().unwrap().1.latency_percentile(500), None);
    }

    #[test]
    fn every_latency_has_a_step_accurate_to_an_eighth() {
        assert_eq!(step(Duration::ZERO), 0);
        assert_eq!(step(Duration::MAX), STEPS - 1);
        for micros in (4..5000).chain([65_535, 65_536, 1_000_000, 4_000_000]) {
            let estimate = midpoint(step(Duration::from_micros(micros))).as_micros();
            assert!(
                estimate.abs_diff(u128::from(micros)) * 8 <= u128::from(micros),
                "{estimate} us for {micros} us"
            );
        }
    }
}
