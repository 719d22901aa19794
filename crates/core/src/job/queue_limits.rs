//! Decides whether one more job may be queued. The queue is bounded, so that callers that submit faster than runners
//! execute get an error before the disk is full. Submissions that join an equal job or are answered from the cache are
//! never refused here.

/// Limits of the jobs that wait for runners, of all types together; 0 means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueLimits {
    /// Maximum number of jobs.
    pub jobs: u64,
    /// Maximum size of the jobs in bytes. The job that exceeds the limit is still accepted.
    pub bytes: u64,
}

/// The jobs that wait for runners, including those whose time has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueUsage {
    /// Number of jobs.
    pub jobs: u64,
    /// Size of their parameters, and of what earlier attempts stored, in bytes.
    pub bytes: u64,
}

/// Why no further job may be queued. Queued jobs are not affected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum QueueFull {
    /// The maximum number of jobs waits.
    #[error(
        "the queue is full: at most {0} jobs may wait for runners (jobs.max_waiting); start more runners or submit \
         again later"
    )]
    Jobs(u64),
    /// The waiting jobs have the maximum size.
    #[error(
        "the queue is full: at most {0} bytes of jobs may wait for runners (jobs.max_waiting_bytes); start more \
         runners or submit again later"
    )]
    Bytes(u64),
}

impl QueueLimits {
    /// Whether there is any limit.
    #[must_use]
    pub const fn is_bounded(&self) -> bool {
        self.jobs > 0 || self.bytes > 0
    }

    /// Checks whether one more job may be queued.
    ///
    /// # Errors
    /// The limit that is reached.
    pub const fn check(&self, usage: QueueUsage) -> Result<(), QueueFull> {
        if self.jobs > 0 && usage.jobs >= self.jobs {
            return Err(QueueFull::Jobs(self.jobs));
        }
        if self.bytes > 0 && usage.bytes >= self.bytes {
            return Err(QueueFull::Bytes(self.bytes));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_accepted_below_the_limits() {
        let (off, few, small) =
            (QueueLimits::default(), QueueLimits { jobs: 2, bytes: 0 }, QueueLimits { jobs: 0, bytes: 100 });
        for (limits, jobs, bytes, expected) in [
            (off, u64::MAX, u64::MAX, Ok(())),
            (few, 0, 0, Ok(())),
            (few, 1, u64::MAX, Ok(())),
            (few, 2, 0, Err(QueueFull::Jobs(2))),
            (few, 3, 0, Err(QueueFull::Jobs(2))),
            (small, u64::MAX, 99, Ok(())),
            (small, 0, 100, Err(QueueFull::Bytes(100))),
            (QueueLimits { jobs: 2, bytes: 100 }, 2, 100, Err(QueueFull::Jobs(2))),
            (QueueLimits { jobs: 2, bytes: 100 }, 1, 101, Err(QueueFull::Bytes(100))),
        ] {
            assert_eq!(
                limits.check(QueueUsage { jobs, bytes }),
                expected,
                "{limits:?}, {jobs} jobs, {bytes} bytes"
            );
        }
    }

    #[test]
    fn is_bounded_is_true_with_any_limit() {
        assert!(!QueueLimits::default().is_bounded());
        assert!(
            QueueLimits { jobs: 1, bytes: 0 }.is_bounded() && QueueLimits { jobs: 0, bytes: 1 }.is_bounded()
        );
    }
}
