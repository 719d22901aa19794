//! Rules that must always hold, checked against the store's outputs without a model. Source: ARCHITECTURE.md, "What
//! must always hold".

use std::collections::HashMap;
use std::ops::AddAssign;

use pilotlight_core::job::Transition;

use super::model::{ModelJob, ModelState};
use super::violation::JobViolation;

/// The store's outputs about every job so far.
#[derive(Debug, Default)]
pub struct JobInvariants {
    histories: HashMap<u32, JobHistory>,
    coverage: JobCoverage,
}

/// The store's outputs about one job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct JobHistory {
    lease: u64,
    /// Whether a runner has this lease.
    is_leased: bool,
    end: Option<FinalState>,
}

/// The final state of a job, without the part that may still change: whether its result is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FinalState {
    Result(u8),
    Failure(pilotlight_core::job::Failure, Option<u8>),
}

/// Number of events that the simulation covered. A history in which nothing happens proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names say what they count")]
pub struct JobCoverage {
    pub new: u64,
    pub joined: u64,
    pub cached: u64,
    pub conflicts: u64,
    pub queue_full: u64,
    pub leases: u64,
    pub completed: u64,
    pub failed: u64,
    pub queued_again: u64,
    pub expired: u64,
    pub repeated: u64,
    pub rejected: u64,
    pub removed: u64,
    pub restarts: u64,
}

impl AddAssign for JobCoverage {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.joined += other.joined;
        self.cached += other.cached;
        self.conflicts += other.conflicts;
        self.queue_full += other.queue_full;
        self.leases += other.leases;
        self.completed += other.completed;
        self.failed += other.failed;
        self.queued_again += other.queued_again;
        self.expired += other.expired;
        self.repeated += other.repeated;
        self.rejected += other.rejected;
        self.removed += other.removed;
        self.restarts += other.restarts;
    }
}

impl JobInvariants {
    /// The coverage so far.
    #[must_use]
    pub const fn coverage(&self) -> JobCoverage {
        self.coverage
    }

    /// The coverage so far, for counting.
    pub const fn coverage_mut(&mut self) -> &mut JobCoverage {
        &mut self.coverage
    }

    /// A submission became a new job.
    ///
    /// # Errors
    /// When the job exists already.
    pub fn record_created(&mut self, job: u32) -> Result<(), JobViolation> {
        self.coverage.new += 1;
        let before = self.histories.insert(job, JobHistory::default());
        JobViolation::check(before.is_none(), || format!("job {job} is created again"))
    }

    /// The store applied an event that changed a job; `row` is the changed job.
    ///
    /// # Errors
    /// When the change is not allowed: a lease that does not grow, two leases at the same time, a change after the end.
    pub fn record_transition(
        &mut self,
        job: u32,
        transition: Transition,
        row: &ModelJob,
    ) -> Result<(), JobViolation> {
        let history = self.histories.entry(job).or_default();
        let ended = history.end.is_some();
        let only_expired = transition == Transition::Expired || transition == Transition::Unchanged;
        JobViolation::check(!ended || only_expired, || format!("job {job} ended, and then {transition:?}"))?;
        match transition {
            Transition::Dispatched => history.grant_lease(job, row)?,
            // A dispatched job that starts keeps its lease.
            Transition::Claimed if row.lease > history.lease => history.grant_lease(job, row)?,
            Transition::Claimed | Transition::Heartbeat => history.ensure_leased(job)?,
            Transition::Queued => {
                history.ensure_leased(job)?;
                history.is_leased = false;
                self.coverage.queued_again += 1;
            }
            Transition::Completed => {
                history.ensure_leased(job)?;
                history.is_leased = false;
                self.coverage.completed += 1;
            }
            Transition::Failed => {
                history.is_leased = false;
                self.coverage.failed += 1;
            }
            Transition::Expired => self.coverage.expired += 1,
            Transition::Unchanged => self.coverage.repeated += 1,
            Transition::CallerLeft => {}
        }
        if matches!(transition, Transition::Dispatched)
            || (transition == Transition::Claimed && row.attempts > 0)
        {
            self.coverage.leases += 1;
        }
        self.observe(job, row)
    }

    /// The store returned a job.
    ///
    /// # Errors
    /// When it differs from the recorded outputs.
    pub fn observe(&mut self, job: u32, row: &ModelJob) -> Result<(), JobViolation> {
        let Some(history) = self.histories.get_mut(&job) else {
            return Err(JobViolation(format!("job {job} was never created")));
        };
        let is_same = row.lease == history.lease;
        JobViolation::check(is_same, || {
            format!("job {job} has lease {}, but {} was granted", row.lease, history.lease)
        })?;
        let end = final_state_of(row);
        JobViolation::check(history.end.is_none() || history.end == end, || {
            format!("job {job} ended as {:?}, and again as {end:?}", history.end)
        })?;
        history.end = end;
        Ok(())
    }

    /// The job was deleted or pruned.
    ///
    /// # Errors
    /// When the job did not exist.
    pub fn record_removed(&mut self, job: u32) -> Result<(), JobViolation> {
        self.coverage.removed += 1;
        let before = self.histories.remove(&job);
        JobViolation::check(before.is_some(), || format!("job {job} is removed, but was never created"))
    }

    /// An equal submission became a new job, so the current one must have ended.
    ///
    /// # Errors
    /// When the current job has not ended.
    pub fn ensure_ended(&self, current: u32) -> Result<(), JobViolation> {
        let ended = self.histories.get(&current).is_none_or(|history| history.end.is_some());
        JobViolation::check(ended, || {
            format!("an equal submission became a job while job {current} has not ended")
        })
    }

    /// Number of jobs that exist.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.histories.len()
    }
}

impl JobHistory {
    fn grant_lease(&mut self, job: u32, row: &ModelJob) -> Result<(), JobViolation> {
        JobViolation::check(!self.is_leased, || {
            format!("job {job} is leased while lease {} is active", self.lease)
        })?;
        let grows = row.lease > self.lease;
        JobViolation::check(grows, || format!("job {job}: lease {} after {}", row.lease, self.lease))?;
        (self.lease, self.is_leased) = (row.lease, true);
        Ok(())
    }

    fn ensure_leased(&self, job: u32) -> Result<(), JobViolation> {
        JobViolation::check(self.is_leased, || {
            format!("job {job}: a report is accepted without an active lease")
        })
    }
}

const fn final_state_of(row: &ModelJob) -> Option<FinalState> {
    match row.state {
        ModelState::Completed { result, .. } => Some(FinalState::Result(result)),
        ModelState::Failed { reason, report, .. } => Some(FinalState::Failure(reason, report)),
        ModelState::Pending | ModelState::Dispatching { .. } | ModelState::Running { .. } => None,
    }
}
