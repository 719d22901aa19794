//! Which attempt of a job ended when an event changed the job, and how it ended. It reads two states of the job and
//! decides nothing: the state machine is in `transitions`.

use super::id::LeaseId;
use super::state::{Failure, Job, State};
use crate::ids::RunnerId;
use crate::time::Timestamp;

/// An attempt that ended: the time from a lease of the job until that lease was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedAttempt {
    /// The number of the attempt, from 1. A lost attempt and the one after it have the same number.
    pub number: u32,
    /// The lease of the attempt.
    pub lease: LeaseId,
    /// The runner that had the lease.
    pub runner: RunnerId,
    /// When the runner got the lease.
    pub began_at: Timestamp,
    /// When the lease was over.
    pub ended_at: Timestamp,
    /// How the attempt ended.
    pub outcome: AttemptOutcome,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttemptOutcome {
    /// The job has its result.
    Completed,
    /// The runner reported a failure.
    Failed,
    /// The runner was silent for too long.
    Lost,
    /// The callers, or an operator, cancelled the job.
    Cancelled,
    /// The job did not reach the runner, or the runner did not start it in time.
    NotStarted,
}

impl AttemptOutcome {
    /// The outcome as it is in traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
            Self::NotStarted => "not_started",
        }
    }
}

impl EndedAttempt {
    /// The attempt that ended when `before` became `after` by one event. `None` if none ended.
    #[must_use]
    pub fn between(before: &Job, after: &Job) -> Option<Self> {
        let (assignment, has_started) = match &before.state {
            State::Dispatching { assignment, .. } => (assignment, false),
            State::Running(running) => (&running.assignment, true),
            State::Pending | State::Completed { .. } | State::Failed { .. } => return None,
        };
        let outcome = match &after.state {
            State::Dispatching { .. } | State::Running(_) => return None,
            State::Completed { .. } => AttemptOutcome::Completed,
            State::Failed { reason, .. } => match reason {
                Failure::Error => AttemptOutcome::Failed,
                Failure::Lost => AttemptOutcome::Lost,
                Failure::Cancelled => AttemptOutcome::Cancelled,
            },
            State::Pending if after.lost_attempts > before.lost_attempts => AttemptOutcome::Lost,
            // A runner that reports a failure of a job that it did not start starts it implicitly.
            State::Pending if has_started || after.attempts > before.attempts => AttemptOutcome::Failed,
            State::Pending => AttemptOutcome::NotStarted,
        };
        Some(Self {
            number: before.attempts + u32::from(!has_started),
            lease: before.lease,
            runner: assignment.runner.clone(),
            began_at: assignment.since,
            ended_at: after.updated_at,
            outcome,
        })
    }
}

impl Job {
    /// The lease of the attempt that a submission of this job leads to: the latest one, or the next one while the job
    /// waits for a runner. `None` if the job ended without an attempt.
    #[must_use]
    pub fn submission_lease(&self) -> Option<LeaseId> {
        match self.state {
            State::Pending => Some(self.lease.next()),
            State::Dispatching { .. }
            | State::Running(_)
            | State::Completed { .. }
            | State::Failed { .. } => Some(self.lease).filter(|lease| *lease != LeaseId::default()),
        }
    }
}
