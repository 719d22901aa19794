//! The job state machine: which event is valid in which state, and what it changes. Late, repeated and foreign events
//! are rejected or ignored, and change nothing.

use super::fingerprint::Fingerprint;
use super::id::LeaseId;
use super::policy::JobPolicy;
use super::state::{Assignment, Failure, Job, Progress, Running, State, expiry};
use crate::ids::RunnerId;
use crate::retry;
use crate::time::Timestamp;

/// An event of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A runner takes the job and executes it at once.
    Claim {
        /// The runner.
        runner: RunnerId,
    },
    /// The job is dispatched to a runner, which has to confirm that it starts.
    Dispatch {
        /// The runner.
        runner: RunnerId,
    },
    /// The dispatch did not reach the runner.
    DispatchFailed {
        /// The lease of the dispatch.
        lease: LeaseId,
    },
    /// The runner that the job was dispatched to starts to execute it.
    Start(LeaseClaim),
    /// The runner is alive.
    Heartbeat {
        /// The runner that sends the heartbeat, and its lease.
        lease_claim: LeaseClaim,
        /// The progress, when the runner reports it.
        progress: Option<Progress>,
    },
    /// The runner reports the result.
    Complete {
        /// The runner that sends the report, and its lease.
        lease_claim: LeaseClaim,
        /// The fingerprint of the result.
        result: Fingerprint,
    },
    /// The runner reports that the job failed.
    Fail {
        /// The runner that sends the report, and its lease.
        lease_claim: LeaseClaim,
        /// The fingerprint of the report.
        report: Fingerprint,
    },
    /// A caller or an operator cancels the job.
    Cancel(CancelScope),
    /// Time has passed: checks the start timeout, the heartbeat timeout and the expiry of the result.
    Tick,
    /// The result was found to be invalid.
    ResultInvalid,
}

/// The runner and lease in a request about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseClaim {
    /// The runner.
    pub runner: RunnerId,
    /// The lease that the runner got with the job; `None` when the client does not know leases, as the first clients of
    /// this protocol.
    pub lease: Option<LeaseId>,
}

/// For whom a job is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelScope {
    /// For one caller; the other callers still wait for the job.
    OneCaller,
    /// For all callers.
    AllCallers,
}

/// What an event changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transition {
    /// Nothing: the event was a repetition, or not due.
    Unchanged,
    /// The job is being sent to a runner.
    Dispatched,
    /// A runner executes the job.
    Claimed,
    /// A heartbeat was recorded.
    Heartbeat,
    /// The job waits for a runner again.
    Queued,
    /// The job has one caller fewer.
    CallerLeft,
    /// The job has its result. When the job is not current, the store then decides whether it becomes current: see
    /// [`Job::update_current`].
    Completed,
    /// The job failed for good.
    Failed,
    /// The result is no longer valid.
    Expired,
}

/// Why an event is rejected. The job has not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejected {
    /// The job cannot be leased now.
    #[error("the job is not available: another runner has it, it has ended, or its run_at is in the future")]
    NotAvailable,
    /// The runner does not have this job.
    #[error(
        "this runner does not have the job: it never had it, lost it after a heartbeat timeout, or the job has ended"
    )]
    NotLeaseHolder,
    /// The lease is not the job's latest one.
    #[error("the lease is no longer valid: the job was given to another runner, or has ended")]
    StaleLease,
    /// The job ended in another way, or with another result.
    #[error("the job has already ended in another way")]
    EndedDifferently,
    /// All callers, or an operator, cancelled the job.
    #[error("the job was cancelled")]
    Cancelled,
    /// The job cannot be cancelled because it has ended.
    #[error("the job has already ended")]
    AlreadyEnded,
}

impl Job {
    /// Applies an event to the job.
    ///
    /// # Errors
    /// Why the event is rejected; the job is then unchanged.
    pub fn handle(
        &mut self,
        event: &Event,
        policy: &JobPolicy,
        now: Timestamp,
    ) -> Result<Transition, Rejected> {
        let transition = match event {
            Event::Claim { runner } => self.claim(runner, now),
            Event::Dispatch { runner } => self.dispatch(runner, policy, now),
            Event::DispatchFailed { lease } => self.dispatch_failed(*lease),
            Event::Start(lease_claim) => self.start(lease_claim, now),
            Event::Heartbeat { lease_claim, progress } => self.heartbeat(lease_claim, *progress, now),
            Event::Complete { lease_claim, result } => self.complete(lease_claim, *result, now),
            Event::Fail { lease_claim, report } => self.fail(lease_claim, *report, policy, now),
            Event::Cancel(scope) => self.cancel(*scope),
            Event::Tick => Ok(self.tick(policy, now)),
            Event::ResultInvalid => self.invalidate(),
        }?;
        if transition != Transition::Unchanged {
            self.updated_at = now;
        }
        Ok(transition)
    }

    /// Whether a runner may get the job now.
    #[must_use]
    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.state == State::Pending && self.ready_at <= now
    }

    fn claim(&mut self, runner: &RunnerId, now: Timestamp) -> Result<Transition, Rejected> {
        let assignment = self.grant_lease(runner, now)?;
        Ok(self.start_attempt(assignment, now))
    }

    fn dispatch(
        &mut self,
        runner: &RunnerId,
        policy: &JobPolicy,
        now: Timestamp,
    ) -> Result<Transition, Rejected> {
        let assignment = self.grant_lease(runner, now)?;
        self.state = State::Dispatching { assignment, until: now.after(policy.start_timeout) };
        Ok(Transition::Dispatched)
    }

    fn grant_lease(&mut self, runner: &RunnerId, now: Timestamp) -> Result<Assignment, Rejected> {
        if !self.is_ready(now) {
            return Err(Rejected::NotAvailable);
        }
        self.lease = self.lease.next();
        Ok(Assignment { runner: runner.clone(), since: now })
    }

    /// From here on the execution counts as an attempt.
    fn start_attempt(&mut self, assignment: Assignment, now: Timestamp) -> Transition {
        self.attempts += 1;
        self.state =
            State::Running(Running { assignment, last_seen_at: now, progress: None, has_heartbeat: false });
        Transition::Claimed
    }

    fn dispatch_failed(&mut self, lease: LeaseId) -> Result<Transition, Rejected> {
        match self.state {
            State::Dispatching { .. } if lease == self.lease => Ok(self.requeue()),
            State::Pending
            | State::Dispatching { .. }
            | State::Running(_)
            | State::Completed { .. }
            | State::Failed { .. } => Err(Rejected::StaleLease),
        }
    }

    fn start(&mut self, lease_claim: &LeaseClaim, now: Timestamp) -> Result<Transition, Rejected> {
        self.verify_lease(lease_claim)?;
        match &self.state {
            State::Dispatching { assignment, until } if now < *until => {
                Ok(self.start_attempt(assignment.clone(), now))
            }
            State::Dispatching { .. } => Err(Rejected::StaleLease),
            State::Running(_) => Ok(Transition::Unchanged),
            State::Pending | State::Completed { .. } | State::Failed { .. } => Err(self.not_running_error()),
        }
    }

    fn heartbeat(
        &mut self,
        lease_claim: &LeaseClaim,
        progress: Option<Progress>,
        now: Timestamp,
    ) -> Result<Transition, Rejected> {
        self.start(lease_claim, now)?;
        let State::Running(running) = &mut self.state else { return Err(Rejected::NotLeaseHolder) };
        running.last_seen_at = now;
        running.has_heartbeat = true;
        running.progress = progress.or(running.progress);
        Ok(Transition::Heartbeat)
    }

    fn complete(
        &mut self,
        lease_claim: &LeaseClaim,
        result: Fingerprint,
        now: Timestamp,
    ) -> Result<Transition, Rejected> {
        if let State::Completed { result: known, .. } = &self.state {
            let is_repeated = *known == result;
            self.verify_lease(lease_claim)?;
            return if is_repeated { Ok(Transition::Unchanged) } else { Err(Rejected::EndedDifferently) };
        }
        let assignment = self.running_assignment(lease_claim, now)?;
        let until = expiry(now, self.options.ttl);
        self.state = State::Completed { assignment, result, until, is_stale: false };
        Ok(Transition::Completed)
    }

    fn fail(
        &mut self,
        lease_claim: &LeaseClaim,
        report: Fingerprint,
        policy: &JobPolicy,
        now: Timestamp,
    ) -> Result<Transition, Rejected> {
        if let State::Failed { report: Some(known), .. } = &self.state
            && *known == report
        {
            self.verify_lease(lease_claim)?;
            return Ok(Transition::Unchanged);
        }
        let assignment = self.running_assignment(lease_claim, now)?;
        if self.attempts < self.options.max_attempts {
            self.ready_at = now.after(retry::backoff(self.options.retry_backoff, self.attempts));
            return Ok(self.requeue());
        }
        let until = Some(now.after(policy.failed_ttl));
        Ok(self.set_failed(Some(assignment), Some(report), Failure::Error, until))
    }

    /// The assignment of the runner that ends the job, if that runner may end it. A runner that ends a dispatched job
    /// without starting it starts it implicitly.
    fn running_assignment(
        &mut self,
        lease_claim: &LeaseClaim,
        now: Timestamp,
    ) -> Result<Assignment, Rejected> {
        self.start(lease_claim, now)?;
        self.assignment().cloned().ok_or(Rejected::NotLeaseHolder)
    }

    fn cancel(&mut self, scope: CancelScope) -> Result<Transition, Rejected> {
        if self.has_ended() {
            return Err(Rejected::AlreadyEnded);
        }
        if scope == CancelScope::OneCaller && self.callers > 1 {
            self.callers -= 1;
            return Ok(Transition::CallerLeft);
        }
        self.callers = 0;
        let assignment = self.assignment().cloned();
        Ok(self.set_failed(assignment, None, Failure::Cancelled, None))
    }

    fn tick(&mut self, policy: &JobPolicy, now: Timestamp) -> Transition {
        if self.due_at(policy).is_none_or(|due| now < due) {
            return Transition::Unchanged;
        }
        match &mut self.state {
            State::Running(_) if self.lost_attempts < policy.lost_retries => self.requeue_lost(now),
            State::Running(running) => {
                let assignment = Some(running.assignment.clone());
                self.lost_attempts += 1;
                self.set_failed(assignment, None, Failure::Lost, None)
            }
            State::Dispatching { .. } => self.requeue(),
            // Set once, so that the store finds expired results without reading the others.
            State::Completed { is_stale, .. } => {
                *is_stale = true;
                Transition::Expired
            }
            State::Pending | State::Failed { .. } => Transition::Unchanged,
        }
    }

    /// A lost execution is not the job's fault: it uses no attempt and is not cached as a failure.
    fn requeue_lost(&mut self, now: Timestamp) -> Transition {
        self.lost_attempts += 1;
        self.attempts -= 1;
        self.ready_at = now;
        self.requeue()
    }

    fn requeue(&mut self) -> Transition {
        self.state = State::Pending;
        Transition::Queued
    }

    fn set_failed(
        &mut self,
        assignment: Option<Assignment>,
        report: Option<Fingerprint>,
        reason: Failure,
        until: Option<Timestamp>,
    ) -> Transition {
        self.state = State::Failed { assignment, report, reason, until };
        Transition::Failed
    }

    fn invalidate(&mut self) -> Result<Transition, Rejected> {
        match &mut self.state {
            State::Completed { is_stale, .. } if !*is_stale => {
                *is_stale = true;
                Ok(Transition::Expired)
            }
            State::Completed { .. } => Ok(Transition::Unchanged),
            State::Pending | State::Dispatching { .. } | State::Running(_) | State::Failed { .. } => {
                Err(Rejected::EndedDifferently)
            }
        }
    }

    /// Checks that the job is assigned to this runner, and that the lease is the latest one.
    fn verify_lease(&self, lease_claim: &LeaseClaim) -> Result<(), Rejected> {
        let is_holder = self.assignment().is_some_and(|assignment| assignment.runner == lease_claim.runner);
        if lease_claim.lease.is_some_and(|lease| lease != self.lease) {
            return Err(Rejected::StaleLease);
        }
        if !is_holder {
            // After the lease ended without a result, no runner holds it.
            return Err(if lease_claim.lease.is_some() {
                Rejected::StaleLease
            } else {
                Rejected::NotLeaseHolder
            });
        }
        Ok(())
    }

    fn not_running_error(&self) -> Rejected {
        match &self.state {
            State::Failed { reason: Failure::Cancelled, .. } => Rejected::Cancelled,
            State::Completed { .. } | State::Failed { .. } => Rejected::EndedDifferently,
            State::Pending | State::Dispatching { .. } | State::Running(_) => Rejected::NotLeaseHolder,
        }
    }
}
