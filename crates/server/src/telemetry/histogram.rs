//! A histogram of durations without locks: an observation adds to two atomic counters. The bounds are fixed at
//! creation. The Prometheus client's own encoder writes the text form.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use pilotlight_core::time::micros;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// The number of separate counter sets. When there are more threads, some share a set, which is slower but correct.
const SHARDS: usize = 8;

/// Counts durations by size. Clones share the counters.
#[derive(Debug, Clone)]
pub(crate) struct Histogram(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    /// The inclusive upper bounds of the buckets in microseconds, in increasing order.
    bounds: &'static [u64],
    /// One set of counters per thread, so that cores do not compete for the same cache lines.
    shards: [Box<[AtomicU64]>; SHARDS],
}

/// The index of the sum (in microseconds) in a shard. The bucket counts follow: one for each bound, and one for larger
/// values.
const SUM: usize = 0;

thread_local! {
    static SHARD: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

impl Histogram {
    /// A histogram without observations. `bounds` are in microseconds, in increasing order.
    #[must_use]
    pub(crate) fn new(bounds: &'static [u64]) -> Self {
        debug_assert!(bounds.is_sorted_by(|a, b| a < b), "bounds must increase");
        let shard = |_| (0..bounds.len() + 2).map(|_| AtomicU64::new(0)).collect();
        Self(Arc::new(Counts { bounds, shards: std::array::from_fn(shard) }))
    }

    /// Counts one duration.
    pub(crate) fn observe(&self, time: Duration) {
        let us = micros(time);
        let Counts { bounds, shards } = &*self.0;
        let shard = &shards[SHARD.with(|shard| *shard)];
        shard[SUM].fetch_add(us, Ordering::Relaxed);
        shard[1 + bounds.partition_point(|bound| *bound < us)].fetch_add(1, Ordering::Relaxed);
    }

    /// The upper bounds in seconds, each with the number of observations in its bucket (not cumulative).
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
        // The count is the sum of the buckets just read, so that it equals the `+Inf` bucket even when other threads
        // observe meanwhile.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = seconds(self.sum_shards(SUM));
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// Converts microseconds to seconds; exact to the microsecond for sums up to about 285 years.
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
    fn bounds_are_inclusive_and_larger_values_have_a_bucket_of_their_own() {
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
    fn a_histogram_is_written_in_seconds_with_cumulative_buckets() {
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
    fn no_observation_is_lost_when_threads_observe_at_once() {
        let histogram = Histogram::new(&[500]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|us| histogram.observe(Duration::from_micros(us))));
            }
        });
        assert_eq!(histogram.buckets(), [(0.0005, 4 * 501), (f64::INFINITY, 4 * 499)]);
    }
}
