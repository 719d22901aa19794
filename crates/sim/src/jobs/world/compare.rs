//! Compares what the store says with what the model says: of one job after each event, of all of them now and then.

use pilotlight_core::job::{Assignment, Fingerprint, Job, Progress, Running, State, Status};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{JobFilter, JobRecord};

use super::house::{epoch, since_began};
use super::{Broken, World};
use crate::jobs::cast;
use crate::jobs::model::{self, Row, Stage};

/// Every job is compared once in so many events.
const ALL: u64 = 512;

/// Counts are compared once in so many events.
const COUNTS: u64 = 16;

impl World {
    pub(super) fn compare_now_and_then(&mut self) -> Result<(), Broken> {
        if self.played.is_multiple_of(COUNTS) {
            self.compare_counts()?;
        }
        if self.played.is_multiple_of(ALL) { self.compare_all() } else { Ok(()) }
    }

    pub(super) fn compare_all(&mut self) -> Result<(), Broken> {
        let numbers: Vec<u32> = self.model.jobs().map(|(number, _)| number).collect();
        Broken::unless_same("how many jobs the ledger knows", &self.ledger.jobs(), &numbers.len())?;
        self.compare_list(None)?;
        Status::ALL.into_iter().try_for_each(|status| self.compare_list(Some(status)))?;
        self.compare_counts()?;
        numbers.into_iter().try_for_each(|number| self.compare_job(number))?;
        (0..=u8::MAX).try_for_each(|key| self.compare_current(key))?;
        let wrong = self.runtime.block_on(self.store().verify_integrity())?;
        Broken::unless_same("what is wrong with the store", &wrong, &Vec::new())
    }

    /// A job with its end and its console.
    pub(super) fn compare_job(&mut self, number: u32) -> Result<(), Broken> {
        let Some(id) = self.house.id_of(number) else { return Ok(()) };
        let found = self.runtime.block_on(self.store().job(id))?;
        let Some(JobRecord { job, output: end }) = found else {
            return Broken::unless_same("whether a job is there", &false, &self.model.job(number).is_some());
        };
        self.check(&job)?;
        let Some((_, kept)) = self.model.job(number) else { return Ok(()) };
        let end = end.unwrap_or_default();
        let got = (end.result, end.error, end.console.len());
        let expected = (kept.output.map(cast::text), kept.error.map(cast::text), kept.console);
        Broken::unless_same("output, error and console", &got, &expected)
    }

    /// The job that equal submissions find.
    pub(super) fn compare_current(&mut self, key: u8) -> Result<(), Broken> {
        let found = self.runtime.block_on(self.store().lookup(cast::cache_key(key)))?;
        let got = found.as_ref().map(|found| cast::submission_of(found.job.id));
        Broken::unless_same("the current job of a key", &got, &self.model.current(key))?;
        let Some(JobRecord { job, output: end }) = found else { return Ok(()) };
        Broken::unless_same("whether its end is told", &end.is_some(), &job.has_ended())?;
        self.check(&job)
    }

    pub(super) fn compare_backlog(&self) -> Result<(), Broken> {
        let backlog = self.runtime.block_on(self.store().backlog(self.epoch()))?;
        let mut got: Vec<_> =
            backlog.ready.iter().map(|(job_type, count)| (job_type.as_str().to_owned(), *count)).collect();
        got.sort_unstable();
        let counted = (0..cast::TYPES).map(|number| {
            (cast::job_type(number).as_str().to_owned(), self.model.ready(1 << number, self.now).len() as u64)
        });
        let expected: Vec<_> = counted.filter(|(_, count)| *count > 0).collect();
        Broken::unless_same("the backlog", &got, &expected)?;
        Broken::unless_same("what waits", &backlog.usage, &self.model.waiting())?;
        Broken::unless_same(
            "when the next job's time comes",
            &backlog.next_at.map(since_began),
            &self.model.next_at(self.now),
        )
    }

    pub(super) fn compare_available(&self, types: u8) -> Result<(), Broken> {
        const SHOWN: usize = 50;
        let wanted = cast::types(types);
        let listed = self.runtime.block_on(self.store().available(&wanted, SHOWN, self.epoch()))?;
        let got: Vec<u32> = listed.iter().map(|handed| cast::submission_of(handed.job.id)).collect();
        let mut expected = self.model.ready(types, self.now);
        expected.truncate(SHOWN);
        Broken::unless_same("the jobs to be had", &got, &expected)
    }

    fn compare_counts(&self) -> Result<(), Broken> {
        let counts = self.runtime.block_on(self.store().counts(epoch(0), self.epoch()))?;
        let expected = Status::ALL.map(|status| self.with(status).count() as u64);
        Broken::unless_same("jobs by status", &counts.jobs, &expected)
    }

    /// The newest of them, and how many there are.
    fn compare_list(&self, status: Option<Status>) -> Result<(), Broken> {
        const SHOWN: usize = 20;
        let wanted = JobFilter { status, limit: SHOWN };
        let (jobs, total) = self.runtime.block_on(self.store().jobs(wanted, self.epoch()))?;
        let got: Vec<u32> = jobs.iter().map(|job| cast::submission_of(job.id)).collect();
        let mut expected: Vec<u32> = match status {
            Some(status) => self.with(status).collect(),
            None => self.model.jobs().map(|(number, _)| number).collect(),
        };
        Broken::unless_same("how many jobs are listed", &total, &(expected.len() as u64))?;
        expected.reverse();
        expected.truncate(SHOWN);
        Broken::unless_same("the jobs listed", &(status, got), &(status, expected))
    }

    fn with(&self, status: Status) -> impl Iterator<Item = u32> {
        self.model.jobs().filter(move |(_, row)| row.status(self.now) == status).map(|(number, _)| number)
    }
}

/// A job as the model would write it down.
pub(super) fn row_of(job: &Job) -> Row {
    Row {
        key: job.key.as_bytes()[0],
        current: job.is_current,
        priority: job.options.priority,
        run_at: since_began(job.options.run_at),
        callers: job.callers,
        created: since_began(job.created_at),
        updated: since_began(job.updated_at),
        ready: since_began(job.ready_at),
        attempts: job.attempts,
        lost_attempts: job.lost_attempts,
        lease: job.lease.number(),
        stage: stage_of(&job.state),
    }
}

fn stage_of(state: &State) -> Stage {
    match state {
        State::Pending => Stage::Waiting,
        State::Dispatching { assignment, until } => {
            Stage::Sent { by: by(assignment), until: since_began(*until) }
        }
        State::Running(Running { assignment, last_seen_at, progress, is_in_progress }) => Stage::Working {
            by: by(assignment),
            heard: since_began(*last_seen_at),
            progress: progress.map(|Progress { current, .. }| current),
            spoke: *is_in_progress,
        },
        State::Completed { assignment, result, until, is_stale } => Stage::Done {
            by: by(assignment),
            result: number_of(result),
            until: moment(*until),
            stale: *is_stale,
        },
        State::Failed { assignment, report, reason, until } => Stage::Broke {
            by: assignment.as_ref().map(by),
            report: report.as_ref().map(number_of),
            reason: *reason,
            until: moment(*until),
        },
    }
}

fn by(assignment: &Assignment) -> model::Hold {
    model::Hold { runner: cast::runner_number(&assignment.runner), since: since_began(assignment.since) }
}

const fn number_of(fingerprint: &Fingerprint) -> u8 {
    fingerprint.0[0]
}

fn moment(until: Option<Timestamp>) -> Option<u64> {
    until.map(since_began)
}
