//! Compares the store with the model: one job after each event, all jobs from time to time.

use pilotlight_core::job::{Assignment, Fingerprint, Job, Progress, Running, State, Status};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{JobFilter, JobRecord};

use super::JobWorld;
use super::test_store::{history_ms, timestamp};
use crate::jobs::fixtures;
use crate::jobs::model::{self, ModelJob, ModelState};
use crate::jobs::violation::JobViolation;

/// All jobs are compared once in this many events.
const COMPARE_ALL_EVERY: u64 = 512;

/// Counts are compared once in this many events.
const COMPARE_COUNTS_EVERY: u64 = 16;

impl JobWorld {
    pub(super) fn compare_periodically(&mut self) -> Result<(), JobViolation> {
        if self.steps.is_multiple_of(COMPARE_COUNTS_EVERY) {
            self.compare_counts()?;
        }
        if self.steps.is_multiple_of(COMPARE_ALL_EVERY) { self.compare_all() } else { Ok(()) }
    }

    pub(super) fn compare_all(&mut self) -> Result<(), JobViolation> {
        let numbers: Vec<u32> = self.model.jobs().map(|(number, _)| number).collect();
        JobViolation::check_same(
            "the number of jobs in the invariants",
            &self.invariants.jobs(),
            &numbers.len(),
        )?;
        self.compare_list(None)?;
        Status::ALL.into_iter().try_for_each(|status| self.compare_list(Some(status)))?;
        self.compare_counts()?;
        numbers.into_iter().try_for_each(|number| self.compare_job(number))?;
        (0..=u8::MAX).try_for_each(|key| self.compare_current(key))?;
        let errors = self.runtime.block_on(self.store().verify_integrity())?;
        JobViolation::check_same("the integrity errors of the store", &errors, &Vec::new())
    }

    /// Compares a job with its output and its console.
    pub(super) fn compare_job(&mut self, number: u32) -> Result<(), JobViolation> {
        let Some(id) = self.store.id_of(number) else { return Ok(()) };
        let found = self.runtime.block_on(self.store().job(id))?;
        let Some(JobRecord { job, output }) = found else {
            return JobViolation::check_same(
                "whether a job exists",
                &false,
                &self.model.job(number).is_some(),
            );
        };
        self.check(&job)?;
        let Some((_, details)) = self.model.job(number) else { return Ok(()) };
        let output = output.unwrap_or_default();
        let actual = (output.result, output.error, output.console.len());
        let expected =
            (details.output.map(fixtures::text), details.error.map(fixtures::text), details.console);
        JobViolation::check_same("output, error and console", &actual, &expected)
    }

    /// Compares the job that equal submissions find.
    pub(super) fn compare_current(&mut self, key: u8) -> Result<(), JobViolation> {
        let found = self.runtime.block_on(self.store().lookup(fixtures::cache_key(key)))?;
        let actual = found.as_ref().map(|found| fixtures::submission_of(found.job.id));
        JobViolation::check_same("the current job of a key", &actual, &self.model.current(key))?;
        let Some(JobRecord { job, output }) = found else { return Ok(()) };
        JobViolation::check_same(
            "whether the output of the current job is returned",
            &output.is_some(),
            &job.has_ended(),
        )?;
        self.check(&job)
    }

    pub(super) fn compare_backlog(&self) -> Result<(), JobViolation> {
        let backlog = self.runtime.block_on(self.store().backlog(self.timestamp()))?;
        let mut actual: Vec<_> =
            backlog.ready.iter().map(|(job_type, count)| (job_type.as_str().to_owned(), *count)).collect();
        actual.sort_unstable();
        let counts = (0..fixtures::TYPES).map(|number| {
            (
                fixtures::job_type(number).as_str().to_owned(),
                self.model.ready(1 << number, self.now).len() as u64,
            )
        });
        let expected: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
        JobViolation::check_same("the backlog", &actual, &expected)?;
        JobViolation::check_same("the queue usage", &backlog.usage, &self.model.queue_usage())?;
        JobViolation::check_same(
            "when the next delayed job becomes ready",
            &backlog.next_at.map(history_ms),
            &self.model.next_at(self.now),
        )
    }

    pub(super) fn compare_available(&self, types: u8) -> Result<(), JobViolation> {
        const LIMIT: usize = 50;
        let job_types = fixtures::types(types);
        let listed = self.runtime.block_on(self.store().available(&job_types, LIMIT, self.timestamp()))?;
        let actual: Vec<u32> = listed.iter().map(|leased| fixtures::submission_of(leased.job.id)).collect();
        let mut expected = self.model.ready(types, self.now);
        expected.truncate(LIMIT);
        JobViolation::check_same("the available jobs", &actual, &expected)
    }

    fn compare_counts(&self) -> Result<(), JobViolation> {
        let counts = self.runtime.block_on(self.store().counts(timestamp(0), self.timestamp()))?;
        let expected = Status::ALL.map(|status| self.with_status(status).count() as u64);
        JobViolation::check_same("jobs by status", &counts.jobs, &expected)
    }

    /// Compares the newest jobs, and the number of all jobs.
    fn compare_list(&self, status: Option<Status>) -> Result<(), JobViolation> {
        const LIMIT: usize = 20;
        let filter = JobFilter { status, limit: LIMIT };
        let (jobs, total) = self.runtime.block_on(self.store().jobs(filter, self.timestamp()))?;
        let actual: Vec<u32> = jobs.iter().map(|job| fixtures::submission_of(job.id)).collect();
        let mut expected: Vec<u32> = match status {
            Some(status) => self.with_status(status).collect(),
            None => self.model.jobs().map(|(number, _)| number).collect(),
        };
        JobViolation::check_same("the total of the list", &total, &(expected.len() as u64))?;
        expected.reverse();
        expected.truncate(LIMIT);
        JobViolation::check_same("the listed jobs", &(status, actual), &(status, expected))
    }

    fn with_status(&self, status: Status) -> impl Iterator<Item = u32> {
        self.model.jobs().filter(move |(_, row)| row.status(self.now) == status).map(|(number, _)| number)
    }
}

/// Converts a job to the model's form.
pub(super) fn row_of(job: &Job) -> ModelJob {
    ModelJob {
        key: job.key.as_bytes()[0],
        current: job.is_current,
        priority: job.options.priority,
        run_at: history_ms(job.options.run_at),
        callers: job.callers,
        created: history_ms(job.created_at),
        updated: history_ms(job.updated_at),
        ready: history_ms(job.ready_at),
        attempts: job.attempts,
        lost_attempts: job.lost_attempts,
        lease: job.lease.number(),
        state: state_of(&job.state),
    }
}

fn state_of(state: &State) -> ModelState {
    match state {
        State::Pending => ModelState::Pending,
        State::Dispatching { assignment, until } => {
            ModelState::Dispatching { assignment: assignment_of(assignment), until: history_ms(*until) }
        }
        State::Running(Running { assignment, last_seen_at, progress, has_heartbeat }) => {
            ModelState::Running {
                assignment: assignment_of(assignment),
                last_seen: history_ms(*last_seen_at),
                progress: progress.map(|Progress { current, .. }| current),
                has_heartbeat: *has_heartbeat,
            }
        }
        State::Completed { assignment, result, until, is_stale } => ModelState::Completed {
            assignment: assignment_of(assignment),
            result: fingerprint_number(result),
            until: millis_of(*until),
            is_stale: *is_stale,
        },
        State::Failed { assignment, report, reason, until } => ModelState::Failed {
            assignment: assignment.as_ref().map(assignment_of),
            report: report.as_ref().map(fingerprint_number),
            reason: *reason,
            until: millis_of(*until),
        },
    }
}

fn assignment_of(assignment: &Assignment) -> model::ModelAssignment {
    model::ModelAssignment {
        runner: fixtures::runner_number(&assignment.runner),
        since: history_ms(assignment.since),
    }
}

const fn fingerprint_number(fingerprint: &Fingerprint) -> u8 {
    fingerprint.0[0]
}

fn millis_of(until: Option<Timestamp>) -> Option<u64> {
    until.map(history_ms)
}
