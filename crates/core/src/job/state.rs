//! The state of a job.

use std::time::Duration;

use super::fingerprint::Fingerprint;
use super::id::{JobId, LeaseId};
use super::policy::{JobOptions, JobPolicy};
use crate::cache_key::CacheKey;
use crate::ids::{JobType, RunnerId};
use crate::time::Timestamp;

/// A job without its parameters and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The job's id.
    pub id: JobId,
    /// The job's type.
    pub job_type: JobType,
    /// The cache key, which equal submissions have in common.
    pub key: CacheKey,
    /// Whether equal submissions find this job. At most one job of a cache key is current.
    pub is_current: bool,
    /// The combined options of the job's callers.
    pub options: JobOptions,
    /// Number of submissions that wait for the job and were not cancelled.
    pub callers: u32,
    /// When the job was submitted.
    pub created_at: Timestamp,
    /// When the job last changed.
    pub updated_at: Timestamp,
    /// The job is not given to a runner before this time.
    pub ready_at: Timestamp,
    /// Number of used attempts, including the current one. A lost attempt that is queued again is not counted.
    pub attempts: u32,
    /// Number of lost attempts, which do not count as attempts.
    pub lost_attempts: u32,
    /// The latest lease of the job; 0 when it had none.
    pub lease: LeaseId,
    /// The job's state.
    pub state: State,
}

/// The state of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The job waits for a runner.
    Pending,
    /// The job was dispatched to a runner, which has not started it yet.
    Dispatching {
        /// The runner that the job was dispatched to.
        assignment: Assignment,
        /// The runner must have started the job before this time.
        until: Timestamp,
    },
    /// A runner executes the job.
    Running(Running),
    /// The job has a result.
    Completed {
        /// The runner that computed the result.
        assignment: Assignment,
        /// The fingerprint of the result.
        result: Fingerprint,
        /// When the result expires; never when `None`.
        until: Option<Timestamp>,
        /// Whether the result was found to be invalid, or has expired.
        is_stale: bool,
    },
    /// The job failed for good.
    Failed {
        /// The last runner that had the job.
        assignment: Option<Assignment>,
        /// The fingerprint of the runner's failure report.
        report: Option<Fingerprint>,
        /// Why the job failed.
        reason: Failure,
        /// Until when the failure answers equal submissions; it answers none when `None`.
        until: Option<Timestamp>,
    },
}

/// The execution of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The runner that executes the job.
    pub assignment: Assignment,
    /// When the runner last sent a request for the job.
    pub last_seen_at: Timestamp,
    /// The latest progress that the runner reported.
    pub progress: Option<Progress>,
    /// Whether the runner has sent a heartbeat.
    pub has_heartbeat: bool,
}

/// The runner that has a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The runner.
    pub runner: RunnerId,
    /// When the runner got the job.
    pub since: Timestamp,
}

/// The progress of a job, in the runner's own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Number of completed steps.
    pub current: u64,
    /// Number of all steps.
    pub total: u64,
}

/// Why a job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Its runner reported a failure.
    Error,
    /// Its runners were lost, more often than the job is queued again.
    Lost,
    /// All of its callers cancelled it, or an operator did.
    Cancelled,
}

/// The status of a job in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// The job waits for a runner.
    Pending,
    /// A runner has the job: it was dispatched or claimed, and no heartbeat was received.
    Claimed,
    /// A runner has the job and has sent a heartbeat.
    InProgress,
    /// The job has a result.
    Completed,
    /// The job failed.
    Failed,
    /// The job had a result, which is no longer valid.
    Expired,
}

impl Status {
    /// All statuses, in the order of a job's transitions.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Claimed, Self::InProgress, Self::Completed, Self::Failed, Self::Expired];

    /// The status as it is in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// Whether the job has ended.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        match self {
            Self::Pending | Self::Claimed | Self::InProgress => false,
            Self::Completed | Self::Failed | Self::Expired => true,
        }
    }
}

/// Everything that a new job is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The job's id.
    pub id: JobId,
    /// The job's type.
    pub job_type: JobType,
    /// The cache key, which equal submissions have in common.
    pub key: CacheKey,
    /// The caller's options.
    pub options: JobOptions,
    /// Whether equal submissions find the job: see [`super::Admission::New`].
    pub is_current: bool,
}

impl Job {
    /// A job that is submitted now.
    #[must_use]
    pub fn new(submission: Submission, now: Timestamp) -> Self {
        Self {
            id: submission.id,
            job_type: submission.job_type,
            key: submission.key,
            is_current: submission.is_current,
            options: submission.options,
            callers: 1,
            created_at: now,
            updated_at: now,
            ready_at: submission.options.run_at,
            attempts: 0,
            lost_attempts: 0,
            lease: LeaseId::default(),
            state: State::Pending,
        }
    }

    /// The job's status in the API.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        match &self.state {
            State::Pending => Status::Pending,
            State::Dispatching { .. } => Status::Claimed,
            State::Running(running) if running.has_heartbeat => Status::InProgress,
            State::Running(_) => Status::Claimed,
            State::Completed { until, is_stale, .. } => {
                if *is_stale || has_passed(*until, now) {
                    Status::Expired
                } else {
                    Status::Completed
                }
            }
            State::Failed { .. } => Status::Failed,
        }
    }

    /// Whether the job has ended.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        match self.state {
            State::Pending | State::Dispatching { .. } | State::Running(_) => false,
            State::Completed { .. } | State::Failed { .. } => true,
        }
    }

    /// The runner that has the job, or had it when it ended.
    #[must_use]
    pub const fn assignment(&self) -> Option<&Assignment> {
        match &self.state {
            State::Pending => None,
            State::Dispatching { assignment, .. } => Some(assignment),
            State::Running(running) => Some(&running.assignment),
            State::Completed { assignment, .. } => Some(assignment),
            State::Failed { assignment, .. } => assignment.as_ref(),
        }
    }

    /// When the job ended. `None` while it has not ended, and after its result became stale, because that overwrote the
    /// time.
    #[must_use]
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Completed { is_stale: false, .. } | State::Failed { .. } => Some(self.updated_at),
            State::Completed { is_stale: true, .. }
            | State::Pending
            | State::Dispatching { .. }
            | State::Running(_) => None,
        }
    }

    /// How long the last attempt took, from the lease to the completion. `None` when it is unknown.
    #[must_use]
    pub fn execution_time(&self) -> Option<Duration> {
        match &self.state {
            State::Completed { assignment, .. } => {
                self.ended_at().map(|ended_at| ended_at.since(assignment.since))
            }
            State::Pending | State::Dispatching { .. } | State::Running(_) | State::Failed { .. } => None,
        }
    }

    /// When [`super::Event::Tick`] is due for the job if no other event comes first. It depends on the policy, so it is
    /// not stored with the job.
    #[must_use]
    pub fn due_at(&self, policy: &JobPolicy) -> Option<Timestamp> {
        match &self.state {
            State::Dispatching { until, .. } => Some(*until),
            State::Running(running) => Some(running.last_seen_at.after(policy.heartbeat_timeout)),
            State::Completed { until, is_stale: false, .. } => *until,
            State::Pending | State::Completed { .. } | State::Failed { .. } => None,
        }
    }
}

pub(super) fn has_passed(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_some_and(|until| until <= now)
}

/// When something that starts now and lasts for `ttl` ends.
pub(super) fn expiry(now: Timestamp, ttl: Option<Duration>) -> Option<Timestamp> {
    ttl.map(|ttl| now.after(ttl))
}
