//! Decides what each word about a job changes. Whatever comes late, twice or from a stranger is refused and changes
//! nothing.

use super::fingerprint::Fingerprint;
use super::id::Lease;
use super::rules::Rules;
use super::state::{Executing, Failure, Hold, Job, Progress, State, ends};
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
    Void {
        /// The lease it was sent with.
        lease: Lease,
    },
    /// The runner that it was sent to begins to execute it.
    Start(Word),
    /// Its runner is alive.
    Heartbeat {
        /// Whose word.
        word: Word,
        /// How far it is, if it says so.
        progress: Option<Progress>,
    },
    /// Its runner has the result.
    Complete {
        /// Whose word.
        word: Word,
        /// What the result looks like.
        result: Fingerprint,
    },
    /// Its runner could not do it.
    Fail {
        /// Whose word.
        word: Word,
        /// What its report looks like.
        report: Fingerprint,
    },
    /// A caller does not want it any more.
    Cancel(Cancel),
    /// Time has passed.
    Tick,
    /// Its result was found to be invalid.
    Invalid,
}

/// Who speaks for a job's execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The runner.
    pub runner: RunnerId,
    /// The lease that it was given; the first clients of this protocol know none.
    pub lease: Option<Lease>,
}

/// On whose behalf a job is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cancel {
    /// One caller; the others still want it.
    One,
    /// All of them.
    All,
}

/// What an event made of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// Nothing: it was said before.
    Nothing,
    /// It is on its way to a runner.
    Dispatched,
    /// A runner executes it.
    Claimed,
    /// A sign of life.
    Heard,
    /// It waits for a runner again.
    Queued,
    /// One caller fewer.
    Left,
    /// It has its result. A job that equal submissions do not find then takes its place among them: see
    /// [`Job::settle`].
    Completed,
    /// It failed for good.
    Failed,
    /// Its result is not valid any more.
    Expired,
}

/// Why a word about a job is refused. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// Somebody else has it, or nobody may have it now.
    #[error("the job is not to be had: another runner has it, or it has ended, or its time has not come")]
    NotAvailable,
    /// The runner does not have this job.
    #[error(
        "the job is not this runner's: it was never, or it was given to another after a silence, or has ended"
    )]
    NotYours,
    /// The lease is not the job's last one.
    #[error("the lease is not in force any more: the job was given to another, or has ended")]
    StaleLease,
    /// It ended in another way, or with another result.
    #[error("the job has ended already, in another way")]
    EndedOtherwise,
    /// All who wanted it cancelled it.
    #[error("the job was cancelled")]
    Cancelled,
    /// It cannot be cancelled any more.
    #[error("the job has ended already")]
    Ended,
}

impl Job {
    /// Takes what is said and becomes what follows.
    ///
    /// # Errors
    /// Why it is refused; the job is then as it was.
    pub fn handle(&mut self, event: &Event, rules: &Rules, now: Timestamp) -> Result<Change, Refused> {
        let change = match event {
            Event::Claim { runner } => self.claim(runner, now),
            Event::Dispatch { runner } => self.dispatch(runner, rules, now),
            Event::Void { lease } => self.void(*lease),
            Event::Start(word) => self.start(word, now),
            Event::Heartbeat { word, progress } => self.heartbeat(word, *progress, now),
            Event::Complete { word, result } => self.complete(word, *result, now),
            Event::Fail { word, report } => self.fail(word, *report, rules, now),
            Event::Cancel(cancel) => self.cancel(*cancel),
            Event::Tick => Ok(self.tick(rules, now)),
            Event::Invalid => self.invalid(),
        }?;
        if change != Change::Nothing {
            self.updated_at = now;
        }
        Ok(change)
    }

    /// Whether a runner may have it now.
    #[must_use]
    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.state == State::Pending && self.ready_at <= now
    }

    fn claim(&mut self, runner: &RunnerId, now: Timestamp) -> Result<Change, Refused> {
        let hold = self.lease_to(runner, now)?;
        Ok(self.execute(hold, now))
    }

    fn dispatch(&mut self, runner: &RunnerId, rules: &Rules, now: Timestamp) -> Result<Change, Refused> {
        let hold = self.lease_to(runner, now)?;
        self.state = State::Dispatching { hold, until: now.after(rules.dispatch_within) };
        Ok(Change::Dispatched)
    }

    fn lease_to(&mut self, runner: &RunnerId, now: Timestamp) -> Result<Hold, Refused> {
        if !self.is_ready(now) {
            return Err(Refused::NotAvailable);
        }
        self.lease = self.lease.next();
        Ok(Hold { runner: runner.clone(), since: now })
    }

    /// From here on it is a try.
    fn execute(&mut self, hold: Hold, now: Timestamp) -> Change {
        self.attempts += 1;
        self.state =
            State::Executing(Executing { hold, heard_at: now, progress: None, is_in_progress: false });
        Change::Claimed
    }

    fn void(&mut self, lease: Lease) -> Result<Change, Refused> {
        match self.state {
            State::Dispatching { .. } if lease == self.lease => Ok(self.queue()),
            State::Pending
            | State::Dispatching { .. }
            | State::Executing(_)
            | State::Completed { .. }
            | State::Failed { .. } => Err(Refused::StaleLease),
        }
    }

    fn start(&mut self, word: &Word, now: Timestamp) -> Result<Change, Refused> {
        self.check(word)?;
        match &self.state {
            State::Dispatching { hold, until } if now < *until => Ok(self.execute(hold.clone(), now)),
            State::Dispatching { .. } => Err(Refused::StaleLease),
            State::Executing(_) => Ok(Change::Nothing),
            State::Pending | State::Completed { .. } | State::Failed { .. } => Err(self.not_under_way()),
        }
    }

    fn heartbeat(
        &mut self,
        word: &Word,
        progress: Option<Progress>,
        now: Timestamp,
    ) -> Result<Change, Refused> {
        self.start(word, now)?;
        let State::Executing(executing) = &mut self.state else { return Err(Refused::NotYours) };
        executing.heard_at = now;
        executing.is_in_progress = true;
        executing.progress = progress.or(executing.progress);
        Ok(Change::Heard)
    }

    fn complete(&mut self, word: &Word, result: Fingerprint, now: Timestamp) -> Result<Change, Refused> {
        if let State::Completed { result: known, .. } = &self.state {
            let is_repeated = *known == result;
            self.check(word)?;
            return if is_repeated { Ok(Change::Nothing) } else { Err(Refused::EndedOtherwise) };
        }
        let by = self.end(word, now)?;
        let until = ends(now, self.options.ttl);
        self.state = State::Completed { by, result, until, is_stale: false };
        Ok(Change::Completed)
    }

    fn fail(
        &mut self,
        word: &Word,
        report: Fingerprint,
        rules: &Rules,
        now: Timestamp,
    ) -> Result<Change, Refused> {
        if let State::Failed { report: Some(known), .. } = &self.state
            && *known == report
        {
            self.check(word)?;
            return Ok(Change::Nothing);
        }
        let by = self.end(word, now)?;
        if self.attempts < self.options.max_attempts {
            self.ready_at = now.after(retry::backoff(self.options.retry_backoff, self.attempts));
            return Ok(self.queue());
        }
        let until = Some(now.after(rules.failed_ttl));
        Ok(self.failed(Some(by), Some(report), Failure::Error, until))
    }

    /// Who ends it, if that runner may. A runner that did not say that it starts says so by ending.
    fn end(&mut self, word: &Word, now: Timestamp) -> Result<Hold, Refused> {
        self.start(word, now)?;
        self.hold().cloned().ok_or(Refused::NotYours)
    }

    fn cancel(&mut self, cancel: Cancel) -> Result<Change, Refused> {
        if self.has_ended() {
            return Err(Refused::Ended);
        }
        if cancel == Cancel::One && self.callers > 1 {
            self.callers -= 1;
            return Ok(Change::Left);
        }
        self.callers = 0;
        let by = self.hold().cloned();
        Ok(self.failed(by, None, Failure::Cancelled, None))
    }

    fn tick(&mut self, rules: &Rules, now: Timestamp) -> Change {
        if self.due_at(rules).is_none_or(|due| now < due) {
            return Change::Nothing;
        }
        match &mut self.state {
            State::Executing(_) if self.losses < rules.lost_retries => self.lost_again(now),
            State::Executing(executing) => {
                let by = Some(executing.hold.clone());
                self.losses += 1;
                self.failed(by, None, Failure::Lost, None)
            }
            State::Dispatching { .. } => self.queue(),
            // Said once, so that a store finds the expired ones without looking at the others.
            State::Completed { is_stale, .. } => {
                *is_stale = true;
                Change::Expired
            }
            State::Pending | State::Failed { .. } => Change::Nothing,
        }
    }

    /// A loss is nobody's fault: it uses no try and is not remembered as a failure.
    fn lost_again(&mut self, now: Timestamp) -> Change {
        self.losses += 1;
        self.attempts -= 1;
        self.ready_at = now;
        self.queue()
    }

    fn queue(&mut self) -> Change {
        self.state = State::Pending;
        Change::Queued
    }

    fn failed(
        &mut self,
        by: Option<Hold>,
        report: Option<Fingerprint>,
        why: Failure,
        until: Option<Timestamp>,
    ) -> Change {
        self.state = State::Failed { by, report, why, until };
        Change::Failed
    }

    fn invalid(&mut self) -> Result<Change, Refused> {
        match &mut self.state {
            State::Completed { is_stale, .. } if !*is_stale => {
                *is_stale = true;
                Ok(Change::Expired)
            }
            State::Completed { .. } => Ok(Change::Nothing),
            State::Pending | State::Dispatching { .. } | State::Executing(_) | State::Failed { .. } => {
                Err(Refused::EndedOtherwise)
            }
        }
    }

    /// Whether this runner, by this lease, is the one whose word counts.
    fn check(&self, word: &Word) -> Result<(), Refused> {
        let is_holder = self.hold().is_some_and(|hold| hold.runner == word.runner);
        if word.lease.is_some_and(|lease| lease != self.lease) {
            return Err(Refused::StaleLease);
        }
        if !is_holder {
            // The last lease is nobody's once it was voided.
            return Err(if word.lease.is_some() { Refused::StaleLease } else { Refused::NotYours });
        }
        Ok(())
    }

    fn not_under_way(&self) -> Refused {
        match &self.state {
            State::Failed { why: Failure::Cancelled, .. } => Refused::Cancelled,
            State::Completed { .. } | State::Failed { .. } => Refused::EndedOtherwise,
            State::Pending | State::Dispatching { .. } | State::Executing(_) => Refused::NotYours,
        }
    }
}
