//! Decides what a submission becomes when an equal one may be known already, and whose result is the known one when
//! several jobs of a key were executed side by side.

use super::policy::JobOptions;
use super::state::{Job, State, Status, has_passed};
use crate::time::Timestamp;

/// Whether a known result will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheMode {
    /// A valid result, or a twin under way.
    Reuse,
    /// It is computed again, whatever is known; the new result replaces the known one.
    Recompute,
}

/// What a submission becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// A new job.
    New {
        /// Whether equal submissions find it from now on. If not, a twin keeps its place until this one completes: see
        /// [`Job::update_current`].
        is_current: bool,
    },
    /// One more caller of a twin under way, which is now this.
    Joined(Box<Job>),
    /// The twin's end is the answer.
    Cached,
}

/// Holds a submission against the current job of its key.
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
    /// Whether equal submissions are served by this job: it is under way, or its end is still told.
    #[must_use]
    pub fn is_reusable(&self, now: Timestamp) -> bool {
        match &self.state {
            State::Pending | State::Dispatching { .. } | State::Running(_) => true,
            State::Completed { .. } => self.status(now) == Status::Completed,
            State::Failed { until, .. } => until.is_some() && !has_passed(*until, now),
        }
    }
}

/// When a job was submitted, beside another one. The store knows: the names of one millisecond have no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubmissionOrder {
    /// Before the other.
    Earlier,
    /// After it.
    Later,
}

impl Job {
    /// Says of a job that has just completed whether equal submissions find it from now on, instead of the `current` job
    /// of its key, which came before or after it.
    ///
    /// Of several results the one of the job that was submitted last is the known one, whichever came first: only a
    /// valid result of a later submission keeps its place. Anything else gives way to a result that is there. An earlier
    /// job that is still under way goes on for who joined it; a later one takes the place back when it completes, and
    /// should it fail instead, the result stays known; a failure, and a result that is not valid any more, are no
    /// answer as long as there is one.
    pub fn update_current(&mut self, current: Option<(&Self, SubmissionOrder)>, now: Timestamp) {
        self.is_current = current.is_none_or(|(current, order)| match order {
            SubmissionOrder::Earlier => true,
            SubmissionOrder::Later => current.status(now) != Status::Completed,
        });
    }
}

/// The most urgent wish counts; the rest is as the first caller wished.
fn join(current: &Job, options: &JobOptions, now: Timestamp) -> Job {
    let mut job = current.clone();
    job.callers = job.callers.saturating_add(1);
    job.options.priority = job.options.priority.max(options.priority);
    // A pause after a failed try stays: it is not a caller's wish.
    if job.attempts == 0 && job.lost_attempts == 0 {
        job.ready_at = job.ready_at.min(options.run_at);
    }
    job.options.run_at = job.options.run_at.min(options.run_at);
    job.updated_at = now;
    job
}
