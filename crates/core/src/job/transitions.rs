//! Decides what each word about a job changes. Whatever comes late, twice or from a stranger is refused and changes
//! nothing.

use super::fingerprint::Fingerprint;
use super::id::LeaseId;
use super::policy::JobPolicy;
use super::state::{Assignment, Failure, Job, Progress, Running, State, expiry};
use crate::ids::RunnerId;
use crate::retry;
use crate::time::Timestamp;

/// Something that is said about a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A runner takes it and executes it at once.
    Claim {
        /// Who.
        runner: RunnerId,
    },
    /// It is sent to a runner, which has to say that it starts.
    Dispatch {
        /// To whom.
        runner: RunnerId,
    },
    /// It did not reach the runner.
    DispatchFailed {
        /// The lease it was sent with.
        lease: LeaseId,
    },
    /// The runner that it was sent to begins to execute it.
    Start(LeaseClaim),
    /// Its runner is alive.
    Heartbeat {
        /// Whose word.
        lease_claim: LeaseClaim,
        /// How far it is, if it says so.
        progress: Option<Progress>,
    },
    /// Its runner has the result.
    Complete {
        /// Whose word.
        lease_claim: LeaseClaim,
        /// What the result looks like.
        result: Fingerprint,
    },
    /// Its runner could not do it.
    Fail {
        /// Whose word.
        lease_claim: LeaseClaim,
        /// What its report looks like.
        report: Fingerprint,
    },
    /// A caller does not want it any more.
    Cancel(CancelScope),
    /// Time has passed.
    Tick,
    /// Its result was found to be invalid.
    ResultInvalid,
}

/// Who speaks for a job's execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseClaim {
    /// The runner.
    pub runner: RunnerId,
    /// The lease that it was given; the first clients of this protocol know none.
    pub lease: Option<LeaseId>,
}

/// On whose behalf a job is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelScope {
    /// One caller; the others still want it.
    OneCaller,
    /// All of them.
    AllCallers,
}

/// What an event made of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transition {
    /// Nothing: it was said before.
    Unchanged,
    /// It is on its way to a runner.
    Dispatched,
    /// A runner executes it.
    Claimed,
    /// A sign of life.
    Heartbeat,
    /// It waits for a runner again.
    Queued,
    /// One caller fewer.
    CallerLeft,
    /// It has its result. A job that equal submissions do not find then takes its place among them: see
    /// [`Job::update_current`].
    Completed,
    /// It failed for good.
    Failed,
    /// Its result is not valid any more.
    Expired,
}

/// Why a word about a job is refused. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejected {
    /// Somebody else has it, or nobody may have it now.
    #[error("the job is not to be had: another runner has it, or it has ended, or its time has not come")]
    NotAvailable,
    /// The runner does not have this job.
    #[error(
        "the job is not this runner's: it was never, or it was given to another after a silence, or has ended"
    )]
    NotLeaseHolder,
    /// The lease is not the job's last one.
    #[error("the lease is not in force any more: the job was given to another, or has ended")]
    StaleLease,
    /// It ended in another way, or with another result.
    #[error("the job has ended already, in another way")]
    EndedDifferently,
    /// All who wanted it cancelled it.
    #[error("the job was cancelled")]
    Cancelled,
    /// It cannot be cancelled any more.
    #[error("the job has ended already")]
    AlreadyEnded,
}

impl Job {
    /// Takes what is said and becomes what follows.
    ///
    /// # Errors
    /// Why it is refused; the job is then as it was.
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

    /// Whether a runner may have it now.
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

    /// From here on it is a try.
    fn start_attempt(&mut self, assignment: Assignment, now: Timestamp) -> Transition {
        self.attempts += 1;
        self.state =
            State::Running(Running { assignment, last_seen_at: now, progress: None, is_in_progress: false });
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
        running.is_in_progress = true;
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

    /// Who ends it, if that runner may. A runner that did not say that it starts says so by ending.
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
            // Said once, so that a store finds the expired ones without looking at the others.
            State::Completed { is_stale, .. } => {
                *is_stale = true;
                Transition::Expired
            }
            State::Pending | State::Failed { .. } => Transition::Unchanged,
        }
    }

    /// A loss is nobody's fault: it uses no try and is not remembered as a failure.
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

    /// Whether this runner, by this lease, is the one whose word counts.
    fn verify_lease(&self, lease_claim: &LeaseClaim) -> Result<(), Rejected> {
        let is_holder = self.assignment().is_some_and(|assignment| assignment.runner == lease_claim.runner);
        if lease_claim.lease.is_some_and(|lease| lease != self.lease) {
            return Err(Rejected::StaleLease);
        }
        if !is_holder {
            // The last lease is nobody's once it was voided.
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
