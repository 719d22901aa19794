//! Counts the outcomes of submissions and jobs, since the start and per time bucket of the last hour. The counts are
//! for the dashboard and metrics; no decision uses them.

use std::time::Duration;

use crate::job::Job;
use crate::rolling_window::{BucketIndex, RollingWindow};
use crate::time::Moment;

/// An outcome of a submission or of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobOutcome {
    /// A submission became a new job.
    New,
    /// A submission joined an equal job that had not ended.
    Joined,
    /// A submission was answered with the outcome of an equal job that had ended. The value is the saved execution
    /// time.
    Cached(Duration),
    /// A job completed. The value is the execution time that all callers who joined it saved together.
    Completed(Duration),
    /// A job failed for good.
    Failed,
}

impl JobOutcome {
    /// The outcome of a submission that was answered with the outcome of this ended job. Only a result saves execution
    /// time; a failure does not.
    #[must_use]
    pub fn cached(job: &Job) -> Self {
        Self::Cached(job.execution_time().unwrap_or_default())
    }

    /// The outcome of this completed job. Each caller except the first saved its execution time.
    #[must_use]
    pub fn completed(job: &Job) -> Self {
        let joined_callers = job.callers.saturating_sub(1);
        Self::Completed(job.execution_time().unwrap_or_default().saturating_mul(joined_callers))
    }

    /// The saved execution time.
    #[must_use]
    pub const fn saved(self) -> Duration {
        match self {
            Self::Cached(saved) | Self::Completed(saved) => saved,
            Self::New | Self::Joined | Self::Failed => Duration::ZERO,
        }
    }
}

/// Number of outcomes of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobCounters {
    /// Submissions that became a new job.
    pub new: u64,
    /// Submissions that joined an equal job that had not ended.
    pub joined: u64,
    /// Submissions that were answered with the outcome of an equal job that had ended.
    pub cached: u64,
    /// Jobs that completed with a result.
    pub completed: u64,
    /// Jobs that failed for good.
    pub failed: u64,
    /// Execution time that was saved by caching and joining.
    pub saved: Duration,
}

impl JobCounters {
    fn add(&mut self, outcome: JobOutcome) {
        match outcome {
            JobOutcome::New => self.new += 1,
            JobOutcome::Joined => self.joined += 1,
            JobOutcome::Cached(_) => self.cached += 1,
            JobOutcome::Completed(_) => self.completed += 1,
            JobOutcome::Failed => self.failed += 1,
        }
        self.saved = self.saved.saturating_add(outcome.saved());
    }
}

/// Job counters since the start, and per time bucket of the last hour.
#[derive(Debug, Default)]
pub struct JobStats {
    totals: JobCounters,
    window: RollingWindow<JobCounters>,
}

impl JobStats {
    /// Counts an outcome at this moment.
    pub fn add(&mut self, at: Moment, outcome: JobOutcome) {
        self.totals.add(outcome);
        if let Some(counters) = self.window.value_at(at) {
            counters.add(outcome);
        }
    }

    /// The counters since the start.
    #[must_use]
    pub const fn totals(&self) -> JobCounters {
        self.totals
    }

    /// The time buckets of the last hour that have outcomes, the oldest first.
    pub fn last_hour(&self, now: Moment) -> impl Iterator<Item = (BucketIndex, JobCounters)> {
        self.window.last_hour(now).map(|(number, counters)| (number, *counters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache_key::CacheKey;
    use crate::ids::{JobType, RunnerId};
    use crate::job::{Assignment, Fingerprint, JobId, JobOptions, LeaseId, State};
    use crate::limits::STATS_BUCKET_WIDTH;
    use crate::time::Timestamp;

    const S: Duration = Duration::from_secs(1);

    /// A moment in the time bucket with this number.
    fn at(buckets: u64) -> Moment {
        Moment::from_micros(STATS_BUCKET_WIDTH.as_micros() as u64 * buckets + 7)
    }

    /// A job that was executed from second 10 to second 13.
    fn completed(callers: u32) -> Job {
        let second = |number: u64| Timestamp::from_millis(1000 * number);
        let runner = RunnerId::parse("runner").unwrap();
        Job {
            id: JobId::from_bytes([0; 16]),
            job_type: JobType::parse("t").unwrap(),
            key: CacheKey::from_bytes([0; 32]),
            is_current: true,
            options: JobOptions::default_at(second(0)),
            callers,
            created_at: second(1),
            updated_at: second(13),
            ready_at: second(1),
            attempts: 1,
            lost_attempts: 0,
            lease: LeaseId::default(),
            state: State::Completed {
                assignment: Assignment { runner, since: second(10) },
                result: Fingerprint([0; 32]),
                until: None,
                is_stale: false,
            },
        }
    }

    #[test]
    fn cache_hits_and_joined_callers_save_execution_time() {
        assert_eq!(JobOutcome::cached(&completed(1)), JobOutcome::Cached(3 * S));
        for (callers, saved) in [(0, Duration::ZERO), (1, Duration::ZERO), (2, 3 * S), (5, 12 * S)] {
            assert_eq!(JobOutcome::completed(&completed(callers)), JobOutcome::Completed(saved), "{callers}");
        }
    }

    #[test]
    fn a_job_that_has_not_completed_saves_no_execution_time() {
        let pending = Job { state: State::Pending, ..completed(3) };
        assert_eq!(JobOutcome::cached(&pending).saved(), Duration::ZERO);
        // A job with a stale result no longer has the time of its end, so its execution time is unknown.
        let mut stale = completed(3);
        if let State::Completed { is_stale, .. } = &mut stale.state {
            *is_stale = true;
        }
        assert_eq!(stale.execution_time(), None);
    }

    #[test]
    fn outcomes_are_counted_per_bucket_and_in_total() {
        let mut stats = JobStats::default();
        for (bucket, outcome) in [
            (0, JobOutcome::New),
            (0, JobOutcome::Joined),
            (1, JobOutcome::Completed(S)),
            (1, JobOutcome::Cached(2 * S)),
            (4, JobOutcome::Failed),
        ] {
            stats.add(at(bucket), outcome);
        }
        let hour: Vec<_> = stats.last_hour(at(4)).collect();
        let first = JobCounters { new: 1, joined: 1, ..JobCounters::default() };
        let second = JobCounters { completed: 1, cached: 1, saved: 3 * S, ..JobCounters::default() };
        let last = JobCounters { failed: 1, ..JobCounters::default() };
        assert_eq!(hour, [(0, first), (1, second), (4, last)]);
        let all = JobCounters { new: 1, joined: 1, cached: 1, completed: 1, failed: 1, saved: 3 * S };
        assert_eq!(stats.totals(), all);
    }
}
