//! Converts a job to and from the columns of its row: flat numbers, texts and bytes. Both stores write and read jobs
//! through this file. A row with an invalid value is [`Error::Corrupt`], never a panic.

use std::time::Duration;

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{
    Assignment, Failure, Fingerprint, Job, JobId, JobOptions, LeaseId, Progress, Running, State, Status,
};
use pilotlight_core::time::Timestamp;

use crate::error::Error;

/// The names of the columns of a [`JobColumns`], in the order of its fields.
macro_rules! columns {
    () => {
        "id, job_type, cache_key, is_current, priority, run_at, max_attempts, retry_backoff_ms, ttl_ms, callers, \
         created_at, updated_at, ready_at, attempts, losses, lease, phase, runner, held_at, heard_at, \
         progress_current, progress_total, until_at, fingerprint, failure"
    };
}
pub(crate) use columns;

/// A job as the columns of its row. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobColumns {
    /// 16 bytes.
    pub(crate) id: Vec<u8>,
    pub(crate) job_type: String,
    /// 32 bytes.
    pub(crate) cache_key: Vec<u8>,
    /// Whether equal submissions find this job.
    pub(crate) is_current: bool,
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
    pub(crate) max_attempts: i64,
    pub(crate) retry_backoff_ms: i64,
    pub(crate) ttl_ms: Option<i64>,
    pub(crate) callers: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) ready_at: i64,
    pub(crate) attempts: i64,
    /// `Job::lost_attempts`.
    pub(crate) losses: i64,
    pub(crate) lease: i64,
    /// A [`StoredStatus`]'s number.
    pub(crate) phase: i64,
    /// The runner it is assigned to, or was assigned to when it ended.
    pub(crate) runner: Option<String>,
    /// Since when it is assigned to that runner.
    pub(crate) held_at: Option<i64>,
    /// When the runner was last seen.
    pub(crate) heard_at: Option<i64>,
    /// The 64 bits of an unsigned number: values from 2^63 on are stored as negative ones.
    pub(crate) progress_current: Option<i64>,
    /// Stored like `progress_current`.
    pub(crate) progress_total: Option<i64>,
    /// When a dispatch times out, a result expires, or a failure is no longer reused for equal submissions.
    pub(crate) until_at: Option<i64>,
    /// 32 bytes: fingerprint of the result, or of the failure report.
    pub(crate) fingerprint: Option<Vec<u8>>,
    /// Why it failed: 0 error, 1 lost, 2 cancelled.
    pub(crate) failure: Option<i64>,
}

/// The status of a job as a store has to find it: column `phase`, finer than the public [`Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum StoredStatus {
    /// It waits for a runner.
    Ready,
    /// It waits until `ready_at`.
    Delayed,
    /// It is being dispatched to a runner.
    Dispatching,
    /// A runner executes it and has sent no heartbeat yet.
    Claimed,
    /// A runner executes it and has sent a heartbeat.
    InProgress,
    /// It has a result.
    Completed,
    /// It has a result that is no longer valid.
    Expired,
    /// It failed.
    Failed,
}

/// Stored statuses that share one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum StatusGroup {
    /// It waits for a runner, or until `ready_at`.
    Waiting,
    /// It is assigned to a runner.
    Running,
    /// It has ended.
    Ended,
}

impl StoredStatus {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 8] = [
        Self::Ready,
        Self::Delayed,
        Self::Dispatching,
        Self::Claimed,
        Self::InProgress,
        Self::Completed,
        Self::Expired,
        Self::Failed,
    ];

    /// The stored status of a job at `now`.
    pub(crate) fn of_job(job: &Job, now: Timestamp) -> Self {
        match &job.state {
            State::Pending if job.ready_at <= now => Self::Ready,
            State::Pending => Self::Delayed,
            State::Dispatching { .. } => Self::Dispatching,
            State::Running(running) if running.has_heartbeat => Self::InProgress,
            State::Running(_) => Self::Claimed,
            State::Completed { is_stale: false, .. } => Self::Completed,
            State::Completed { is_stale: true, .. } => Self::Expired,
            State::Failed { .. } => Self::Failed,
        }
    }

    /// The number in column `phase`.
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Ready => 0,
            Self::Delayed => 1,
            Self::Dispatching => 2,
            Self::Claimed => 3,
            Self::InProgress => 4,
            Self::Completed => 5,
            Self::Expired => 6,
            Self::Failed => 7,
        }
    }

    /// The public status. The caller must treat a completed job whose `until_at` has passed as expired: the sweep marks
    /// it only later.
    pub(crate) const fn status(self) -> Status {
        match self {
            Self::Ready | Self::Delayed => Status::Pending,
            Self::Dispatching | Self::Claimed => Status::Claimed,
            Self::InProgress => Status::InProgress,
            Self::Completed => Status::Completed,
            Self::Expired => Status::Expired,
            Self::Failed => Status::Failed,
        }
    }

    /// The group for queue and retention limits.
    pub(crate) const fn group(self) -> StatusGroup {
        match self {
            Self::Ready | Self::Delayed => StatusGroup::Waiting,
            Self::Dispatching | Self::Claimed | Self::InProgress => StatusGroup::Running,
            Self::Completed | Self::Expired | Self::Failed => StatusGroup::Ended,
        }
    }

    /// The stored status with this number.
    pub(crate) fn from_number(number: i64) -> Result<Self, Error> {
        let status = usize::try_from(number).ok().and_then(|at| Self::ALL.get(at));
        status.copied().ok_or_else(|| corrupt_column("phase"))
    }
}

impl JobColumns {
    /// The columns of a job that is written at `now`.
    pub(crate) fn from_job(job: &Job, now: Timestamp) -> Self {
        let mut row = Self::without_assignment(job, now);
        if let Some(assignment) = job.assignment() {
            row.runner = Some(assignment.runner.as_str().to_owned());
            row.held_at = Some(millis_of_time(assignment.since));
        }
        match &job.state {
            State::Pending => {}
            State::Dispatching { until, .. } => row.until_at = Some(millis_of_time(*until)),
            State::Running(running) => {
                row.heard_at = Some(millis_of_time(running.last_seen_at));
                row.progress_current = running.progress.map(|it| it.current.cast_signed());
                row.progress_total = running.progress.map(|it| it.total.cast_signed());
            }
            State::Completed { result, until, .. } => {
                row.fingerprint = Some(result.0.to_vec());
                row.until_at = until.map(millis_of_time);
            }
            State::Failed { report, reason, until, .. } => {
                row.fingerprint = report.map(|report| report.0.to_vec());
                row.failure = Some(failure_number(*reason));
                row.until_at = until.map(millis_of_time);
            }
        }
        row
    }

    fn without_assignment(job: &Job, now: Timestamp) -> Self {
        Self {
            id: job.id.as_bytes().to_vec(),
            job_type: job.job_type.as_str().to_owned(),
            cache_key: job.key.as_bytes().to_vec(),
            is_current: job.is_current,
            priority: job.options.priority.into(),
            run_at: millis_of_time(job.options.run_at),
            max_attempts: job.options.max_attempts.into(),
            retry_backoff_ms: millis_of_duration(job.options.retry_backoff),
            ttl_ms: job.options.ttl.map(millis_of_duration),
            callers: job.callers.into(),
            created_at: millis_of_time(job.created_at),
            updated_at: millis_of_time(job.updated_at),
            ready_at: millis_of_time(job.ready_at),
            attempts: job.attempts.into(),
            losses: job.lost_attempts.into(),
            lease: job.lease.number().cast_signed(),
            phase: StoredStatus::of_job(job, now).number(),
            runner: None,
            held_at: None,
            heard_at: None,
            progress_current: None,
            progress_total: None,
            until_at: None,
            fingerprint: None,
            failure: None,
        }
    }

    /// The job that these columns describe.
    ///
    /// # Errors
    /// [`Error::Corrupt`] names the first column with an invalid value; never the value.
    pub(crate) fn into_job(self) -> Result<Job, Error> {
        Ok(Job {
            id: JobId::from_bytes(byte_array(&self.id, "id")?),
            job_type: JobType::parse(&self.job_type).map_err(|_| corrupt_column("job_type"))?,
            key: CacheKey::from_bytes(byte_array(&self.cache_key, "cache_key")?),
            is_current: self.is_current,
            options: self.options()?,
            callers: number(self.callers, "callers")?,
            created_at: time_from_millis(self.created_at, "created_at")?,
            updated_at: time_from_millis(self.updated_at, "updated_at")?,
            ready_at: time_from_millis(self.ready_at, "ready_at")?,
            attempts: number(self.attempts, "attempts")?,
            lost_attempts: number(self.losses, "losses")?,
            lease: LeaseId::new(self.lease.cast_unsigned()),
            state: self.state()?,
        })
    }

    fn options(&self) -> Result<JobOptions, Error> {
        Ok(JobOptions {
            priority: number(self.priority, "priority")?,
            run_at: time_from_millis(self.run_at, "run_at")?,
            max_attempts: number(self.max_attempts, "max_attempts")?,
            retry_backoff: duration_from_millis(self.retry_backoff_ms, "retry_backoff_ms")?,
            ttl: self.ttl_ms.map(|ms| duration_from_millis(ms, "ttl_ms")).transpose()?,
        })
    }

    fn state(&self) -> Result<State, Error> {
        let status = StoredStatus::from_number(self.phase)?;
        Ok(match status {
            StoredStatus::Ready | StoredStatus::Delayed => State::Pending,
            StoredStatus::Dispatching => State::Dispatching {
                assignment: self.required_assignment()?,
                until: required(self.until()?, "until_at")?,
            },
            StoredStatus::Claimed | StoredStatus::InProgress => State::Running(Running {
                assignment: self.required_assignment()?,
                last_seen_at: time_from_millis(required(self.heard_at, "heard_at")?, "heard_at")?,
                progress: self.progress(),
                has_heartbeat: status == StoredStatus::InProgress,
            }),
            StoredStatus::Completed | StoredStatus::Expired => State::Completed {
                assignment: self.required_assignment()?,
                result: required(self.fingerprint()?, "fingerprint")?,
                until: self.until()?,
                is_stale: status == StoredStatus::Expired,
            },
            StoredStatus::Failed => State::Failed {
                assignment: self.assignment()?,
                report: self.fingerprint()?,
                reason: failure(self.failure)?,
                until: self.until()?,
            },
        })
    }

    fn required_assignment(&self) -> Result<Assignment, Error> {
        required(self.assignment()?, "runner")
    }

    fn assignment(&self) -> Result<Option<Assignment>, Error> {
        let Some(runner) = &self.runner else { return Ok(None) };
        let runner = RunnerId::parse(runner).map_err(|_| corrupt_column("runner"))?;
        Ok(Some(Assignment {
            runner,
            since: time_from_millis(required(self.held_at, "held_at")?, "held_at")?,
        }))
    }

    fn until(&self) -> Result<Option<Timestamp>, Error> {
        self.until_at.map(|at| time_from_millis(at, "until_at")).transpose()
    }

    fn fingerprint(&self) -> Result<Option<Fingerprint>, Error> {
        let fingerprint = self.fingerprint.as_deref();
        fingerprint.map(|it| byte_array(it, "fingerprint").map(Fingerprint)).transpose()
    }

    fn progress(&self) -> Option<Progress> {
        let (current, total) = self.progress_current.zip(self.progress_total)?;
        Some(Progress { current: current.cast_unsigned(), total: total.cast_unsigned() })
    }
}

/// A time in milliseconds since 1970, as it is stored: every [`Timestamp`] fits.
pub(crate) fn millis_of_time(at: Timestamp) -> i64 {
    at.as_millis().cast_signed()
}

/// A stored time.
pub(crate) fn time_from_millis(stored: i64, column: &str) -> Result<Timestamp, Error> {
    number(stored, column).map(Timestamp::from_millis)
}

/// A stored number, which must fit into the target type.
pub(crate) fn number<T: TryFrom<i64>>(stored: i64, column: &str) -> Result<T, Error> {
    T::try_from(stored).map_err(|_| corrupt_column(column))
}

/// A duration as it is stored: whole milliseconds, at most `i64::MAX`.
pub(crate) fn millis_of_duration(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn duration_from_millis(stored: i64, column: &str) -> Result<Duration, Error> {
    number(stored, column).map(Duration::from_millis)
}

fn byte_array<const N: usize>(stored: &[u8], column: &str) -> Result<[u8; N], Error> {
    stored.try_into().map_err(|_| corrupt_column(column))
}

fn required<T>(stored: Option<T>, column: &str) -> Result<T, Error> {
    stored.ok_or_else(|| corrupt_column(column))
}

const fn failure_number(reason: Failure) -> i64 {
    match reason {
        Failure::Error => 0,
        Failure::Lost => 1,
        Failure::Cancelled => 2,
    }
}

fn failure(stored: Option<i64>) -> Result<Failure, Error> {
    let known = [Failure::Error, Failure::Lost, Failure::Cancelled];
    known
        .into_iter()
        .find(|reason| stored == Some(failure_number(*reason)))
        .ok_or_else(|| corrupt_column("failure"))
}

/// The error for a column with an invalid value. It never contains the value, which may be confidential.
pub(crate) fn corrupt_column(column: &str) -> Error {
    Error::Corrupt(format!("a row has an invalid `{column}`"))
}

#[cfg(test)]
mod tests;
