//! Decides whether one more job may wait. What waits is bounded, so that callers who submit faster than runners execute
//! hear of it before the disk is full. Joining a twin and being told a known end need no room.

/// How much may wait for runners at once, of all types together; 0 is without bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueLimits {
    /// Jobs.
    pub jobs: u64,
    /// Bytes of what they have. The job that reaches the bound is taken whole.
    pub bytes: u64,
}

/// What waits for runners, now or at its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueUsage {
    /// Jobs.
    pub jobs: u64,
    /// Bytes of their parameters, and of what earlier tries left.
    pub bytes: u64,
}

/// Why no other job may wait. What waits already is not touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum QueueFull {
    /// There are as many as may be.
    #[error(
        "as many jobs wait for runners as may ({0}, jobs.max_waiting); start more runners, or submit again later"
    )]
    Jobs(u64),
    /// They are as large as they may be together.
    #[error(
        "the jobs that wait for runners have as many bytes as they may ({0}, jobs.max_waiting_bytes); start more \
         runners, or submit again later"
    )]
    Bytes(u64),
}

impl QueueLimits {
    /// Whether anything is bounded.
    #[must_use]
    pub const fn is_bounded(&self) -> bool {
        self.jobs > 0 || self.bytes > 0
    }

    /// Whether a new job may wait beside what waits.
    ///
    /// # Errors
    /// What there is too much of.
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
