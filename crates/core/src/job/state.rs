//! What is known of a job.

use std::time::Duration;

use super::fingerprint::Fingerprint;
use super::id::{JobId, LeaseId};
use super::policy::{JobOptions, JobPolicy};
use crate::cache_key::CacheKey;
use crate::ids::{JobType, RunnerId};
use crate::time::Timestamp;

/// A job, without its parameters and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What kind of work it is.
    pub job_type: JobType,
    /// What equal submissions have in common.
    pub key: CacheKey,
    /// Whether it is the one that equal submissions find. At most one job of a key is.
    pub is_current: bool,
    /// What its callers asked for, taken together.
    pub options: JobOptions,
    /// Submissions that wait for it and were not cancelled.
    pub callers: u32,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When something of it last changed.
    pub updated_at: Timestamp,
    /// Not to be handed out before.
    pub ready_at: Timestamp,
    /// Tries used, the one under way included.
    pub attempts: u32,
    /// Tries that were lost and do not count.
    pub lost_attempts: u32,
    /// The last lease given.
    pub lease: LeaseId,
    /// Where it stands.
    pub state: State,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It waits for a runner.
    Pending,
    /// It is on its way to a runner that has to say that it starts.
    Dispatching {
        /// Who is to have it.
        assignment: Assignment,
        /// Until when it must have said so.
        until: Timestamp,
    },
    /// A runner executes it.
    Running(Running),
    /// It has a result.
    Completed {
        /// Who computed it.
        assignment: Assignment,
        /// What the result looks like.
        result: Fingerprint,
        /// When the result ends to be valid; never when `None`.
        until: Option<Timestamp>,
        /// Whether it was found to be invalid before that.
        is_stale: bool,
    },
    /// It has none, and will not have one.
    Failed {
        /// Who held it last.
        assignment: Option<Assignment>,
        /// What the runner's last word looks like.
        report: Option<Fingerprint>,
        /// Why.
        reason: Failure,
        /// Until when equal submissions are told this failure; not at all when `None`.
        until: Option<Timestamp>,
    },
}

/// A job under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Who executes it.
    pub assignment: Assignment,
    /// When its runner was last heard of.
    pub last_seen_at: Timestamp,
    /// What the runner said last, if anything.
    pub progress: Option<Progress>,
    /// Whether a heartbeat came.
    pub is_in_progress: bool,
}

/// Who has a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The runner.
    pub runner: RunnerId,
    /// Since when.
    pub since: Timestamp,
}

/// How far a runner is. The numbers are the runner's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub current: u64,
    /// Steps in all.
    pub total: u64,
}

/// Why a job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Its runner said so.
    Error,
    /// It was lost more often than is tried again.
    Lost,
    /// All who wanted it cancelled it.
    Cancelled,
}

/// What callers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// It waits.
    Pending,
    /// A runner has it.
    Claimed,
    /// A runner has it and was heard of.
    InProgress,
    /// It has a result.
    Completed,
    /// It failed.
    Failed,
    /// It had a result, which is not valid any more.
    Expired,
}

impl Status {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Claimed, Self::InProgress, Self::Completed, Self::Failed, Self::Expired];

    /// As callers spell it.
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

    /// Whether nothing more becomes of the job.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        match self {
            Self::Pending | Self::Claimed | Self::InProgress => false,
            Self::Completed | Self::Failed | Self::Expired => true,
        }
    }
}

/// What makes a submission a job of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Its name.
    pub id: JobId,
    /// What kind of work it is.
    pub job_type: JobType,
    /// What equal submissions have in common.
    pub key: CacheKey,
    /// The caller's wishes.
    pub options: JobOptions,
    /// Whether equal submissions find it: see [`super::Admission::New`].
    pub is_current: bool,
}

impl Job {
    /// A job that was submitted just now.
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

    /// What callers are told of it.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> Status {
        match &self.state {
            State::Pending => Status::Pending,
            State::Dispatching { .. } => Status::Claimed,
            State::Running(running) if running.is_in_progress => Status::InProgress,
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

    /// Whether nothing more becomes of it.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        match self.state {
            State::Pending | State::Dispatching { .. } | State::Running(_) => false,
            State::Completed { .. } | State::Failed { .. } => true,
        }
    }

    /// Who has it, or had it when it ended.
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

    /// When it ended; `None` while it has not, and when it is not known any more because its result was found to be
    /// invalid since.
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

    /// How long its runner had it until it completed: its last try alone, as far as that is known.
    #[must_use]
    pub fn execution_time(&self) -> Option<Duration> {
        match &self.state {
            State::Completed { assignment, .. } => {
                self.ended_at().map(|ended_at| ended_at.since(assignment.since))
            }
            State::Pending | State::Dispatching { .. } | State::Running(_) | State::Failed { .. } => None,
        }
    }

    /// When it is to be looked at again should nobody say anything about it: see [`super::Event::Tick`]. A change of
    /// the rules makes it another moment, so this is not remembered with the job.
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

/// When something that lasts so long from `now` on ends.
pub(super) fn expiry(now: Timestamp, ttl: Option<Duration>) -> Option<Timestamp> {
    ttl.map(|ttl| now.after(ttl))
}
