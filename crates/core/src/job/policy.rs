//! What the operator sets for all jobs, and what a caller sets for one job.

use std::time::Duration;

use crate::time::Timestamp;

/// The operator's settings for all jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobPolicy {
    /// A job is lost when its runner sends no heartbeat for this time.
    pub heartbeat_timeout: Duration,
    /// A dispatched job whose runner does not start it within this time is queued again.
    pub start_timeout: Duration,
    /// How many times a lost job is queued again.
    pub lost_retries: u32,
    /// How long a failed job answers submissions of an equal job. After that, a submission executes the job again.
    pub failed_ttl: Duration,
}

impl JobPolicy {
    /// A runner that was last seen before the returned time is lost. `listening_since` is when this service began to
    /// receive heartbeats. Until a whole heartbeat timeout has passed since then, a missing heartbeat proves nothing:
    /// the returned time is 1970, so no runner is lost.
    #[must_use]
    pub fn heartbeat_cutoff(&self, listening_since: Timestamp, now: Timestamp) -> Timestamp {
        let since = now.before(self.heartbeat_timeout);
        if listening_since <= since { since } else { Timestamp::default() }
    }
}

/// The caller's options for one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobOptions {
    /// Jobs with a higher priority are executed first; with equal priority, the job that was submitted first.
    pub priority: i32,
    /// The job is not executed before this time. When the caller gives none, it is the time of the submission.
    pub run_at: Timestamp,
    /// Number of attempts until a failure is final; at least 1.
    pub max_attempts: u32,
    /// The backoff after the first failed attempt. It doubles after each later failed attempt, see [`crate::retry`].
    pub retry_backoff: Duration,
    /// How long the result stays valid; without limit when `None`.
    pub ttl: Option<Duration>,
}

impl JobOptions {
    /// The options of a caller that sets none: one attempt, from `run_at` on.
    #[must_use]
    pub const fn default_at(run_at: Timestamp) -> Self {
        Self { priority: 0, run_at, max_attempts: 1, retry_backoff: Duration::ZERO, ttl: None }
    }

    /// The options for computing a job again: the same, but due now.
    #[must_use]
    pub const fn from_now(self, now: Timestamp) -> Self {
        Self { run_at: now, ..self }
    }
}
