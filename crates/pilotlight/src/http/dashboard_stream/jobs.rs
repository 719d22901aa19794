//! What watchers are told of jobs. How many there are is counted in the store; the rest is at hand.

use pilotlight_core::job_stats::{JobCounters, JobStats};
use pilotlight_core::limits::STATS_BUCKETS;
use pilotlight_core::rolling_window::BucketIndex;
use pilotlight_core::time::{Moment, millis};
use pilotlight_wire::events::{JobBucket, JobTally, Jobs as Told, JobsNow};
use pilotlight_wire::jobs_admin::Stats;

use crate::jobs::Jobs;

/// What was seen of jobs.
pub(super) struct JobsSample {
    now: JobsNow,
    /// The buckets that may have changed.
    series: Vec<JobBucket>,
}

impl JobsSample {
    /// Looks, for somebody who knows all buckets before this one.
    pub(super) fn take(jobs: &Jobs, counts: Option<Stats>, newest: Option<BucketIndex>, now: Moment) -> Self {
        // Read before what it stands for, so that a change is never missed.
        let revision = jobs.revision();
        let (totals, series) = jobs.series(|series| (tally(series.totals()), since(series, newest, now)));
        Self { now: JobsNow { counts, waiting: jobs.waiting(), totals, revision }, series }
    }
}

fn since(series: &JobStats, newest: Option<BucketIndex>, now: Moment) -> Vec<JobBucket> {
    let changed = series.last_hour(now).filter(|(number, _)| newest.is_none_or(|newest| *number >= newest));
    changed.map(|(number, it)| JobBucket { number, tally: tally(it) }).collect()
}

fn tally(it: JobCounters) -> JobTally {
    let JobCounters { new, joined, cached, completed, failed, saved } = it;
    JobTally { new, joined, cached, completed, failed, saved_ms: millis(saved) }
}

/// What watchers know of jobs; nothing where jobs are not served.
#[derive(Debug, Default)]
pub(super) struct JobsState(Option<Told>);

impl JobsState {
    /// All that is known.
    pub(super) fn all(&self) -> Option<Told> {
        self.0.clone()
    }

    pub(super) fn newest_bucket(&self) -> Option<BucketIndex> {
        self.0.as_ref()?.series.last().map(|bucket| bucket.number)
    }

    /// Takes in what was seen, and says what is news.
    pub(super) fn apply(&mut self, sample: JobsSample) -> Option<Told> {
        let JobsSample { now, series } = sample;
        let Some(known) = &mut self.0 else {
            self.0 = Some(Told { now, series });
            return self.all();
        };
        let changed: Vec<_> = series.into_iter().filter(|seen| !known.series.contains(seen)).collect();
        if known.now == now && changed.is_empty() {
            return None;
        }
        known.now = now;
        known.series.retain(|bucket| changed.iter().all(|seen| seen.number != bucket.number));
        known.series.extend(&changed);
        let newest = known.series.last().map_or(0, |bucket| bucket.number);
        known.series.retain(|bucket| bucket.number + STATS_BUCKETS as u64 > newest);
        Some(Told { now, series: changed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(revision: u64, buckets: &[(BucketIndex, u64)]) -> JobsSample {
        let tally = |new| JobTally { new, joined: 0, cached: 0, completed: 0, failed: 0, saved_ms: 0 };
        let now = JobsNow { counts: None, waiting: 0, totals: tally(0), revision };
        let series = buckets.iter().map(|(number, new)| JobBucket { number: *number, tally: tally(*new) });
        JobsSample { now, series: series.collect() }
    }

    fn numbers(told: Option<Told>) -> Option<Vec<(BucketIndex, u64)>> {
        Some(told?.series.iter().map(|bucket| (bucket.number, bucket.tally.new)).collect())
    }

    #[test]
    fn only_what_changed_is_news() {
        let mut state = JobsState::default();
        assert_eq!(numbers(state.apply(sample(0, &[]))), Some(vec![]), "the first look is");
        assert_eq!(numbers(state.apply(sample(0, &[]))), None);
        assert_eq!(numbers(state.apply(sample(1, &[(3, 1)]))), Some(vec![(3, 1)]));
        assert_eq!(numbers(state.apply(sample(1, &[(3, 1)]))), None);
        assert_eq!(numbers(state.apply(sample(2, &[(3, 1)]))), Some(vec![]), "of another kind");
        assert_eq!(numbers(state.apply(sample(3, &[(3, 2), (4, 1)]))), Some(vec![(3, 2), (4, 1)]));
        assert_eq!(numbers(state.all()), Some(vec![(3, 2), (4, 1)]));
    }

    #[test]
    fn an_hour_is_remembered_and_not_more() {
        let mut state = JobsState::default();
        let hour = STATS_BUCKETS as u64;
        for number in [1, 2, hour + 1] {
            state.apply(sample(number, &[(number, 1)]));
        }
        assert_eq!(numbers(state.all()), Some(vec![(2, 1), (hour + 1, 1)]));
        assert_eq!(state.newest_bucket(), Some(hour + 1));
    }
}
