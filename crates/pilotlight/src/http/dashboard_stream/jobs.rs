//! The jobs part of the dashboard's live state. The number of jobs by status is counted in the store; everything else
//! is read from memory.

use pilotlight_core::job_stats::{JobCounters, JobStats};
use pilotlight_core::limits::STATS_BUCKETS;
use pilotlight_core::rolling_window::BucketIndex;
use pilotlight_core::time::{Moment, millis};
use pilotlight_wire::dashboard_events::{JobBucket, JobOutcomeCounts, JobsOverview, JobsSnapshot};
use pilotlight_wire::jobs_admin::AdminStats;

use crate::jobs::JobService;

/// The state of jobs at one moment.
pub(super) struct JobsSample {
    current: JobsSnapshot,
    /// The buckets that may have changed since the previous sample.
    series: Vec<JobBucket>,
}

impl JobsSample {
    /// Takes a sample, with the buckets from `newest` on: earlier ones are already known and do not change.
    pub(super) fn take(
        jobs: &JobService,
        counts: Option<AdminStats>,
        newest: Option<BucketIndex>,
        now: Moment,
    ) -> Self {
        // The revision is read before the data that it describes. A change in between is then in the next sample too.
        let revision = jobs.revision();
        let (totals, series) =
            jobs.stats(|stats| (outcome_counts(stats.totals()), buckets_since(stats, newest, now)));
        Self { current: JobsSnapshot { counts, waiting: jobs.parked_poll_count(), totals, revision }, series }
    }
}

fn buckets_since(stats: &JobStats, newest: Option<BucketIndex>, now: Moment) -> Vec<JobBucket> {
    let changed = stats.last_hour(now).filter(|(number, _)| newest.is_none_or(|newest| *number >= newest));
    changed.map(|(number, counters)| JobBucket { number, counts: outcome_counts(counters) }).collect()
}

fn outcome_counts(counters: JobCounters) -> JobOutcomeCounts {
    let JobCounters { new, joined, cached, completed, failed, saved } = counters;
    JobOutcomeCounts { new, joined, cached, completed, failed, saved_ms: millis(saved) }
}

/// The state of jobs that subscribers have; `None` where jobs are not served.
#[derive(Debug, Default)]
pub(super) struct JobsState(Option<JobsOverview>);

impl JobsState {
    /// The complete state.
    pub(super) fn snapshot(&self) -> Option<JobsOverview> {
        self.0.clone()
    }

    pub(super) fn newest_bucket(&self) -> Option<BucketIndex> {
        self.0.as_ref()?.series.last().map(|bucket| bucket.number)
    }

    /// Applies a sample and returns what changed; `None` when nothing did.
    pub(super) fn apply(&mut self, sample: JobsSample) -> Option<JobsOverview> {
        let JobsSample { current, series } = sample;
        let Some(previous) = &mut self.0 else {
            self.0 = Some(JobsOverview { current, series });
            return self.snapshot();
        };
        let changed: Vec<_> =
            series.into_iter().filter(|changed_bucket| !previous.series.contains(changed_bucket)).collect();
        if previous.current == current && changed.is_empty() {
            return None;
        }
        previous.current = current;
        previous
            .series
            .retain(|bucket| changed.iter().all(|changed_bucket| changed_bucket.number != bucket.number));
        previous.series.extend(&changed);
        let newest = previous.series.last().map_or(0, |bucket| bucket.number);
        previous.series.retain(|bucket| bucket.number + STATS_BUCKETS as u64 > newest);
        Some(JobsOverview { current, series: changed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(revision: u64, buckets: &[(BucketIndex, u64)]) -> JobsSample {
        let outcome_counts =
            |new| JobOutcomeCounts { new, joined: 0, cached: 0, completed: 0, failed: 0, saved_ms: 0 };
        let current = JobsSnapshot { counts: None, waiting: 0, totals: outcome_counts(0), revision };
        let series =
            buckets.iter().map(|(number, new)| JobBucket { number: *number, counts: outcome_counts(*new) });
        JobsSample { current, series: series.collect() }
    }

    fn bucket_counts(overview: Option<JobsOverview>) -> Option<Vec<(BucketIndex, u64)>> {
        Some(overview?.series.iter().map(|bucket| (bucket.number, bucket.counts.new)).collect())
    }

    #[test]
    fn only_changes_are_in_the_diff() {
        let mut state = JobsState::default();
        assert_eq!(bucket_counts(state.apply(sample(0, &[]))), Some(vec![]), "the first sample is a change");
        assert_eq!(bucket_counts(state.apply(sample(0, &[]))), None);
        assert_eq!(bucket_counts(state.apply(sample(1, &[(3, 1)]))), Some(vec![(3, 1)]));
        assert_eq!(bucket_counts(state.apply(sample(1, &[(3, 1)]))), None);
        assert_eq!(
            bucket_counts(state.apply(sample(2, &[(3, 1)]))),
            Some(vec![]),
            "a new revision alone is a change"
        );
        assert_eq!(bucket_counts(state.apply(sample(3, &[(3, 2), (4, 1)]))), Some(vec![(3, 2), (4, 1)]));
        assert_eq!(bucket_counts(state.snapshot()), Some(vec![(3, 2), (4, 1)]));
    }

    #[test]
    fn buckets_older_than_an_hour_are_dropped() {
        let mut state = JobsState::default();
        let hour = STATS_BUCKETS as u64;
        for number in [1, 2, hour + 1] {
            state.apply(sample(number, &[(number, 1)]));
        }
        assert_eq!(bucket_counts(state.snapshot()), Some(vec![(2, 1), (hour + 1, 1)]));
        assert_eq!(state.newest_bucket(), Some(hour + 1));
    }
}
