//! What the operator and the caller wish for.

use std::time::Duration;

use crate::time::Timestamp;

/// The operator's wishes, for all jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobPolicy {
    /// A job whose runner is not heard of for this long is lost.
    pub heartbeat_timeout: Duration,
    /// A dispatched job that is not started within this is given to somebody else.
    pub start_timeout: Duration,
    /// How often a lost job is queued again.
    pub lost_retries: u32,
    /// How long a failure is remembered.
    pub failed_ttl: Duration,
}

impl JobPolicy {
    /// Runners that were not heard of since then are silent for too long, when nobody could be heard before
    /// `listening_since`: the beginning of time when none is.
    #[must_use]
    pub fn heartbeat_cutoff(&self, listening_since: Timestamp, now: Timestamp) -> Timestamp {
        let since = now.before(self.heartbeat_timeout);
        if listening_since <= since { since } else { Timestamp::default() }
    }
}

/// The caller's wishes, for one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobOptions {
    /// Higher ones go first; within one, the job that was submitted first.
    pub priority: i32,
    /// Not before this; the submission's own time when the caller does not say.
    pub run_at: Timestamp,
    /// Tries before a failure is final; at least 1.
    pub max_attempts: u32,
    /// The pause after the first failed try; each further one doubles it, see [`crate::retry`].
    pub retry_backoff: Duration,
    /// How long a result stays valid; for ever when `None`.
    pub ttl: Option<Duration>,
}

impl JobOptions {
    /// Those of a caller who wishes for nothing else: tried once, as soon as it is that time.
    #[must_use]
    pub const fn default_at(run_at: Timestamp) -> Self {
        Self { priority: 0, run_at, max_attempts: 1, retry_backoff: Duration::ZERO, ttl: None }
    }
}
