//! Decides what a submission becomes when an equal one may be known already, and whose result is the known one when
//! several jobs of a key were executed side by side.

use super::rules::Options;
use super::state::{Job, State, Status, is_over};
use crate::time::Timestamp;

/// Whether a known result will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// A valid result, or a twin under way.
    Any,
    /// It is computed again, whatever is known; the new result replaces the known one.
    Again,
}

/// What a submission becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// A new job.
    New {
        /// Whether equal submissions find it from now on. If not, a twin keeps its place until this one completes: see
        /// [`Job::settle`].
        is_current: bool,
    },
    /// One more caller of a twin under way, which is now this.
    Joined(Box<Job>),
    /// The twin's end is the answer.
    Known,
}

/// Holds a submission against the current job of its key.
#[must_use]
pub fn admit(twin: Option<&Job>, freshness: Freshness, wish: &Options, now: Timestamp) -> Admitted {
    let Some(twin) = twin else { return Admitted::New { is_current: true } };
    match freshness {
        Freshness::Again => Admitted::New { is_current: !twin.is_told(now) },
        Freshness::Any if !twin.has_ended() => Admitted::Joined(Box::new(join(twin, wish, now))),
        Freshness::Any if twin.is_told(now) => Admitted::Known,
        Freshness::Any => Admitted::New { is_current: true },
    }
}

impl Job {
    /// Whether equal submissions are served by this job: it is under way, or its end is still told.
    #[must_use]
    pub fn is_told(&self, now: Timestamp) -> bool {
        match &self.state {
            State::Pending | State::Dispatching { .. } | State::Executing(_) => true,
            State::Completed { .. } => self.status(now) == Status::Completed,
            State::Failed { until, .. } => until.is_some() && !is_over(*until, now),
        }
    }
}

/// When a job was submitted, beside another one. The store knows: the names of one millisecond have no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Came {
    /// Before the other.
    Before,
    /// After it.
    After,
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
    pub fn settle(&mut self, current: Option<(&Self, Came)>, now: Timestamp) {
        self.is_current = current.is_none_or(|(current, came)| match came {
            Came::Before => true,
            Came::After => current.status(now) != Status::Completed,
        });
    }
}

/// The most urgent wish counts; the rest is as the first caller wished.
fn join(twin: &Job, wish: &Options, now: Timestamp) -> Job {
    let mut job = twin.clone();
    job.callers = job.callers.saturating_add(1);
    job.options.priority = job.options.priority.max(wish.priority);
    // A pause after a failed try stays: it is not a caller's wish.
    if job.attempts == 0 && job.losses == 0 {
        job.ready_at = job.ready_at.min(wish.run_at);
    }
    job.options.run_at = job.options.run_at.min(wish.run_at);
    job.updated_at = now;
    job
}
