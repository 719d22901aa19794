//! Decides when a warm process is replaced: after a number of jobs, at an age, or when its memory has grown.

use std::fmt;
use std::time::Duration;

/// How long a warm process may be used; `None` means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecycleLimits {
    /// Maximum number of jobs.
    pub max_jobs: Option<u64>,
    /// Maximum age.
    pub max_age: Option<Duration>,
    /// Maximum memory growth since the first job, in bytes. The first job loads what stays in memory, so it does not
    /// count.
    pub max_growth: Option<u64>,
}

/// How much a warm process has been used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerUsage {
    /// Number of executed jobs.
    pub jobs: u64,
    /// Resident memory after the first job, in bytes; 0 when it is unknown.
    pub first_bytes: u64,
    /// Resident memory now, in bytes; 0 when it is unknown.
    pub bytes: u64,
}

/// Why a warm process is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecycleReason {
    /// It has executed the maximum number of jobs.
    Jobs,
    /// It has reached the maximum age.
    Age,
    /// Its memory has grown by more than the maximum.
    Growth,
}

impl RecycleLimits {
    /// Why the process must be replaced before its next job; `None` when it need not be.
    #[must_use]
    pub fn recycle_reason(&self, usage: &WorkerUsage, age: Duration) -> Option<RecycleReason> {
        let growth = usage.bytes.saturating_sub(usage.first_bytes);
        let has_grown = usage.first_bytes > 0 && self.max_growth.is_some_and(|most| growth > most);
        if self.max_jobs.is_some_and(|most| usage.jobs >= most) {
            Some(RecycleReason::Jobs)
        } else if self.max_age.is_some_and(|most| age >= most) {
            Some(RecycleReason::Age)
        } else {
            has_grown.then_some(RecycleReason::Growth)
        }
    }
}

impl WorkerUsage {
    /// Records an executed job and the resident memory after it.
    pub const fn record_job(&mut self, bytes: u64) {
        self.jobs += 1;
        self.bytes = bytes;
        if self.first_bytes == 0 {
            self.first_bytes = bytes;
        }
    }
}

impl fmt::Display for RecycleReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Jobs => "has executed the maximum number of jobs",
            Self::Age => "has reached its maximum age",
            Self::Growth => "has grown beyond its maximum memory growth",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_recycled_by_jobs_age_or_growth() {
        let second = Duration::from_secs(1);
        let limits = RecycleLimits { max_jobs: Some(3), max_age: Some(10 * second), max_growth: Some(100) };
        let unlimited = RecycleLimits { max_jobs: None, max_age: None, max_growth: None };
        for (jobs, age, first, now, recycle_reason) in [
            (0, 0, 0, 0, None),
            (2, 9, 1000, 1100, None),
            (3, 0, 0, 0, Some(RecycleReason::Jobs)),
            (1, 10, 0, 0, Some(RecycleReason::Age)),
            (2, 1, 1000, 1101, Some(RecycleReason::Growth)),
            (2, 1, 1000, 1, None),
            (2, 1, 0, 5000, None),
        ] {
            let usage = WorkerUsage { jobs, first_bytes: first, bytes: now };
            assert_eq!(limits.recycle_reason(&usage, age * second), recycle_reason, "{usage:?}");
            assert_eq!(unlimited.recycle_reason(&usage, age * second), None);
        }
    }

    #[test]
    fn growth_is_measured_from_the_first_job() {
        let mut usage = WorkerUsage::default();
        usage.record_job(50);
        usage.record_job(70);
        assert_eq!(usage, WorkerUsage { jobs: 2, first_bytes: 50, bytes: 70 });
    }
}
