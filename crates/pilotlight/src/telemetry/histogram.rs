//! A histogram of durations that takes no lock: an observation adds to two counters. Its bounds are fixed when it is
//! made, and it is written out by the Prometheus client's own encoder.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use pilotlight_core::time::micros;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Threads that count apart. More than that share, which is slower and as right.
const SHARDS: usize = 8;

/// Durations, counted by size. A clone counts into the same.
#[derive(Debug, Clone)]
pub(super) struct Histogram(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    /// Upper bounds in microseconds, which belong to their bucket; they rise.
    bounds: &'static [u64],
    /// Each thread has its own, so that cores do not take them from one another.
    shards: [Box<[AtomicU64]>; SHARDS],
}

/// Where a shard has the sum in microseconds. The counts follow: one for each bound, one for what is above all.
const SUM: usize = 0;

thread_local! {
    static SHARD: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl Histogram {
    /// Without observations. `bounds` are microseconds, from small to large.
    #[must_use]
    pub(super) fn new(bounds: &'static [u64]) -> Self {
        debug_assert!(bounds.is_sorted_by(|a, b| a < b), "bounds rise");
        let shard = |_| (0..bounds.len() + 2).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Counts { bounds, shards: std::array::from_fn(shard) }))
    }

    /// Counts one.
    pub(super) fn observe(&self, time: Duration) {
        let us = micros(time);
        let Counts { bounds, shards } = &*self.0;
        let shard = &shards[SHARD.with(|shard| *shard)];
        shard[SUM].fetch_add(us, Ordering::Relaxed);
        shard[1 + bounds.partition_point(|bound| *bound < us)].fetch_add(1, Ordering::Relaxed);
    }

    /// Upper bounds in seconds, each with what was counted up to it and above the one before.
    fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.0.bounds.iter().map(|us| seconds(*us)).chain([f64::INFINITY]);
        bounds.zip((1..).map(|index| self.sum_shards(index))).collect()
    }

    fn sum_shards(&self, index: usize) -> u64 {
        self.0.shards.iter().map(|shard| shard[index].load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let buckets = self.buckets();
        // From the buckets as they were read: whatever is observed meanwhile, the largest bucket is the count.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = seconds(self.sum_shards(SUM));
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// Exact to the microsecond for some 285 years of them.
#[allow(clippy::cast_precision_loss, reason = "fewer than 2^53 microseconds are exact")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::{Registry, Unit};

    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_above_all_has_its_own() {
        for (us, expected) in [
            (0, [1, 0, 0]),
            (20, [1, 0, 0]),
            (21, [0, 1, 0]),
            (1000, [0, 1, 0]),
            (1001, [0, 0, 1]),
            (u64::MAX, [0, 0, 1]),
        ] {
            let histogram = Histogram::new(&[20, 1000]);
            histogram.observe(Duration::from_micros(us));
            let counts: Vec<_> = histogram.buckets().into_iter().map(|(_, count)| count).collect();
            assert_eq!(counts, expected, "{us} µs");
        }
    }

    #[test]
    fn a_histogram_is_written_in_seconds_with_buckets_that_add_up() {
        let histogram = Histogram::new(&[20, 2_500_000]);
        for us in [1, 20, 30, 2_500_000, 3_000_000] {
            histogram.clone().observe(Duration::from_micros(us));
        }
        let mut registry = Registry::default();
        registry.register_with_unit("wait", "Waits", Unit::Seconds, histogram);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let expected = "\
# HELP wait_seconds Waits.
# TYPE wait_seconds histogram
# UNIT wait_seconds seconds
wait_seconds_sum 5.500051
wait_seconds_count 5
wait_seconds_bucket{le=\"0.00002\"} 2
wait_seconds_bucket{le=\"2.5\"} 4
wait_seconds_bucket{le=\"+Inf\"} 5
# EOF
";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_observation_is_lost_among_threads() {
        let histogram = Histogram::new(&[500]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|us| histogram.observe(Duration::from_micros(us))));
            }
        });
        assert_eq!(histogram.buckets(), [(0.0005, 4 * 501), (f64::INFINITY, 4 * 499)]);
    }
}
