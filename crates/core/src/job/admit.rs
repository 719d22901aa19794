//! Decides what a submission becomes when an equal job exists, and which of several results of one cache key is reused
//! when equal jobs were executed in parallel.

use super::policy::JobOptions;
use super::state::{Job, State, Status, has_passed};
use crate::time::Timestamp;

/// Whether a submission may reuse an equal job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheMode {
    /// Reuse a valid result, or join an equal job that has not ended.
    Reuse,
    /// Execute again in any case; the new result replaces the existing one.
    Recompute,
}

/// The outcome of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// A new job.
    New {
        /// Whether equal submissions find the new job from now on. If not, they find the existing equal job until the
        /// new job completes: see [`Job::update_current`].
        is_current: bool,
    },
    /// The submission joins an equal job that has not ended, and is one more caller of it. This is the updated job.
    Joined(Box<Job>),
    /// The result or failure of the equal job answers the submission.
    Cached,
}

/// Decides the outcome of a submission. `current` is the current job of its cache key.
#[must_use]
pub fn admit(
    current: Option<&Job>,
    cache_mode: CacheMode,
    options: &JobOptions,
    now: Timestamp,
) -> Admission {
    let Some(current) = current else { return Admission::New { is_current: true } };
    match cache_mode {
        CacheMode::Recompute => Admission::New { is_current: !current.is_reusable(now) },
        CacheMode::Reuse if !current.has_ended() => Admission::Joined(Box::new(join(current, options, now))),
        CacheMode::Reuse if current.is_reusable(now) => Admission::Cached,
        CacheMode::Reuse => Admission::New { is_current: true },
    }
}

impl Job {
    /// Whether this job serves equal submissions: it has not ended, its result is valid, or its failure is still
    /// cached.
    #[must_use]
    pub fn is_reusable(&self, now: Timestamp) -> bool {
        match &self.state {
            State::Pending | State::Dispatching { .. } | State::Running(_) => true,
            State::Completed { .. } => self.status(now) == Status::Completed,
            State::Failed { until, .. } => until.is_some() && !has_passed(*until, now),
        }
    }

    /// Whether a check finds this job: it is reusable, or its result has expired, which is the answer to the check.
    /// A failure that is no longer reusable counts as unknown, because a submission would compute the job again.
    #[must_use]
    pub fn is_known(&self, now: Timestamp) -> bool {
        self.is_reusable(now) || self.status(now) == Status::Expired
    }
}

/// Whether one job was submitted before or after another one. The store decides; the ids of jobs that were submitted in
/// the same millisecond have no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubmissionOrder {
    /// Submitted before the other job.
    Earlier,
    /// Submitted after the other job.
    Later,
}

impl Job {
    /// Sets whether equal submissions find this job from now on. It has just completed. `current` is the current job of
    /// its cache key, and whether that one was submitted before or after this job.
    ///
    /// Of several results the one of the last submission is current, in whatever order the results arrive. So only the
    /// valid result of a later submission stays current; in every other case this result becomes current:
    /// - An earlier job that has not ended continues for the callers that joined it.
    /// - A later job that has not ended becomes current when it completes. When it fails instead, this result stays
    ///   current.
    /// - A failure or an expired result is not reused while a valid result exists.
    pub fn update_current(&mut self, current: Option<(&Self, SubmissionOrder)>, now: Timestamp) {
        self.is_current = current.is_none_or(|(current, order)| match order {
            SubmissionOrder::Earlier => true,
            SubmissionOrder::Later => current.status(now) != Status::Completed,
        });
    }
}

/// Combines the options of two callers: the higher priority and the earlier `run_at` count. All other options stay
/// those of the first caller.
fn join(current: &Job, options: &JobOptions, now: Timestamp) -> Job {
    let mut job = current.clone();
    job.callers = job.callers.saturating_add(1);
    job.options.priority = job.options.priority.max(options.priority);
    // The backoff after a failed attempt stays, because no caller requested it.
    if job.attempts == 0 && job.lost_attempts == 0 {
        job.ready_at = job.ready_at.min(options.run_at);
    }
    job.options.run_at = job.options.run_at.min(options.run_at);
    job.updated_at = now;
    job
}
