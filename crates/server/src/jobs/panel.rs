//! What jobs add to the dashboard: the field `jobs` of its events. The number of jobs by status is counted in the
//! store, by a background task, while a dashboard is open; everything else is read from memory.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pilotlight_core::job_stats::{JobCounters, JobStats};
use pilotlight_core::limits::STATS_BUCKETS;
use pilotlight_core::rolling_window::BucketIndex;
use pilotlight_core::time::{Moment, millis};
use pilotlight_net::clock::Clock;
use pilotlight_wire::dashboard_events::{JobBucket, JobOutcomeCounts, JobsOverview, JobsSnapshot};
use pilotlight_wire::jobs_admin::AdminStats;
use serde::Serialize;
use tokio::sync::Notify;

use crate::background::TaskResults;
use crate::capability::{DashboardPanel, PanelChange, PanelUpdate};
use crate::jobs::JobService;
use crate::jobs::http::admin;

/// Jobs are counted in the store at most this often, and only after a job changed (but see [`MAX_UNCHANGED_COUNTS`]).
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// Jobs are counted anyway after this many intervals without a known change, because other instances and retention
/// change jobs too.
const MAX_UNCHANGED_COUNTS: u32 = 5;

/// The state of jobs that subscribers of the dashboard have.
#[derive(Debug)]
pub(super) struct JobsPanel {
    jobs: Arc<JobService>,
    clock: Clock,
    live: Mutex<Live>,
    counts_wanted: Notify,
}

#[derive(Debug, Default)]
struct Live {
    is_watched: bool,
    state: PanelState,
    counts: Option<AdminStats>,
    /// The revision of the jobs when they were counted last.
    counted_revision: Option<u64>,
}

/// The fields that jobs add to an event.
#[derive(Serialize)]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<JobsOverview>,
}

impl Fields {
    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("wire types have string keys and finite numbers")
    }
}

impl JobsPanel {
    /// A panel without subscribers.
    pub(super) fn new(jobs: Arc<JobService>, clock: Clock) -> Self {
        Self { jobs, clock, live: Mutex::default(), counts_wanted: Notify::new() }
    }

    /// Background task: counts the jobs in the store while the dashboard is watched. Runs until dropped.
    pub(super) async fn run_counts(self: Arc<Self>, results: TaskResults) {
        let mut unchanged = 0;
        loop {
            while !self.live().is_watched {
                self.counts_wanted.notified().await;
            }
            let revision = self.jobs.revision();
            if self.live().counted_revision == Some(revision) && unchanged < MAX_UNCHANGED_COUNTS {
                unchanged += 1;
            } else {
                self.refresh_counts(revision, &results).await;
                unchanged = 0;
            }
            tokio::time::sleep(COUNT_INTERVAL).await;
        }
    }

    /// Counts the jobs. The previous counts stay when the store fails.
    async fn refresh_counts(&self, revision: u64, results: &TaskResults) {
        let counted = admin::count(&self.jobs).await;
        results.record(counted.as_ref().map(|counts| format!("counted {} jobs", counts.jobs.total)));
        let mut live = self.live();
        if !live.is_watched {
            // The last subscriber has left meanwhile; the next one must not get old counts.
            return;
        }
        live.counted_revision = Some(revision);
        match counted {
            Ok(counts) => live.counts = Some(counts),
            Err(error) => tracing::debug!(%error, "failed to count jobs for the dashboard"),
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().expect("nothing panics under this lock")
    }
}

impl DashboardPanel for JobsPanel {
    fn sample(&self) -> PanelUpdate {
        let mut live = self.live();
        if !live.is_watched {
            live.is_watched = true;
            self.counts_wanted.notify_one();
        }
        let newest = live.state.newest_bucket();
        let sample = JobsSample::take(&self.jobs, live.counts, newest, self.clock.now());
        let fields = Fields { jobs: live.state.apply(sample) };
        let change = if fields.jobs.is_some() { PanelChange::Changed } else { PanelChange::Unchanged };
        PanelUpdate { change, fields: Box::new(move || fields.to_json()) }
    }

    fn snapshot(&self) -> String {
        Fields { jobs: self.live().state.snapshot() }.to_json()
    }

    fn forget(&self) {
        *self.live() = Live::default();
    }
}

/// The state of jobs at one moment.
struct JobsSample {
    current: JobsSnapshot,
    /// The buckets that may have changed since the previous sample.
    series: Vec<JobBucket>,
}

impl JobsSample {
    /// Takes a sample, with the buckets from `newest` on: earlier ones are already known and do not change.
    fn take(jobs: &JobService, counts: Option<AdminStats>, newest: Option<BucketIndex>, now: Moment) -> Self {
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

/// What subscribers know; `None` before the first sample.
#[derive(Debug, Default)]
struct PanelState(Option<JobsOverview>);

impl PanelState {
    /// The complete state.
    fn snapshot(&self) -> Option<JobsOverview> {
        self.0.clone()
    }

    fn newest_bucket(&self) -> Option<BucketIndex> {
        self.0.as_ref()?.series.last().map(|bucket| bucket.number)
    }

    /// Applies a sample and returns what changed; `None` when nothing did.
    fn apply(&mut self, sample: JobsSample) -> Option<JobsOverview> {
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
        let mut state = PanelState::default();
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
        let mut state = PanelState::default();
        let hour = STATS_BUCKETS as u64;
        for number in [1, 2, hour + 1] {
            state.apply(sample(number, &[(number, 1)]));
        }
        assert_eq!(bucket_counts(state.snapshot()), Some(vec![(2, 1), (hour + 1, 1)]));
        assert_eq!(state.newest_bucket(), Some(hour + 1));
    }
}
