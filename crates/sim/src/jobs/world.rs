//! Applies a history to a store and to the model in parallel. After every event the affected job must be equal in both,
//! and from time to time all jobs. No invariant may be violated.

use std::sync::Arc;

use pilotlight_core::job::{
    self, CacheMode, Event as CoreEvent, Job, JobOptions, LeaseId, Progress, Transition,
};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{
    AppliedEvent, ConsoleUpdate, EventOutcome, IdempotencyKey, LeasedJob, NewJob, Retention, RunnerOutput,
    Store, SubmitOutcome,
};
use tokio::runtime::Runtime;

use super::event::{ConsoleOutput, JobEvent, ReportKind, Settings, Submission, TimedJobEvent};
use super::fixtures;
use super::invariants::{JobCoverage, JobInvariants};
use super::model::{EventResult, JobModel, Report, SubmitResult};
use super::violation::JobViolation;

mod compare;
mod test_store;

use compare::row_of;
use test_store::TestStore;

/// The complete state at one moment of a history.
#[derive(Debug)]
pub struct JobWorld {
    settings: Settings,
    now: u64,
    steps: u64,
    runtime: Runtime,
    store: TestStore,
    model: JobModel,
    invariants: JobInvariants,
    granted_leases: Vec<GrantedLease>,
}

/// A lease that was granted, perhaps long ago.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say what they are")]
pub struct GrantedLease {
    pub job: u32,
    pub runner: u8,
    pub lease: u64,
}

/// Maximum number of remembered leases. No event refers to an older lease.
const MAX_REMEMBERED_LEASES: usize = 200;

/// Maximum number of jobs per transaction.
const BATCH_SIZE: usize = 50;

impl JobWorld {
    /// The state at the beginning of a history.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be created");
        Self {
            settings,
            now: 0,
            steps: 0,
            runtime,
            store: TestStore::new(settings),
            model: JobModel::new(settings),
            invariants: JobInvariants::default(),
            granted_leases: Vec::new(),
        }
    }

    /// The model.
    #[must_use]
    pub const fn model(&self) -> &JobModel {
        &self.model
    }

    /// The granted leases, the latest one last.
    #[must_use]
    pub fn granted_leases(&self) -> &[GrantedLease] {
        &self.granted_leases
    }

    /// The coverage so far.
    #[must_use]
    pub const fn coverage(&self) -> JobCoverage {
        self.invariants.coverage()
    }

    /// Applies an event.
    ///
    /// # Errors
    /// The violation that it causes.
    pub fn step(&mut self, (at, event): TimedJobEvent) -> Result<(), JobViolation> {
        self.now = self.now.max(at);
        self.steps += 1;
        match event {
            JobEvent::Submit(submission) => self.submit(submission),
            JobEvent::Dispatch { runner, types } => self.dispatch(runner, types),
            JobEvent::Claim { job, runner } => {
                let expected = self.model.claim(job, runner, self.now);
                self.apply_event(
                    job,
                    CoreEvent::Claim { runner: fixtures::runner(runner) },
                    RunnerOutput::default(),
                    expected,
                )
            }
            JobEvent::Report { job, runner, lease, kind, console } => {
                self.report(job, Report { runner, lease, kind, console })
            }
            JobEvent::DispatchFailed { job, lease } => {
                let expected = self.model.dispatch_failed(job, lease, self.now);
                self.apply_event(
                    job,
                    CoreEvent::DispatchFailed { lease: LeaseId::new(lease) },
                    RunnerOutput::default(),
                    expected,
                )
            }
            JobEvent::Cancel { job, scope } => {
                let expected = self.model.cancel(job, scope, self.now);
                self.apply_event(job, CoreEvent::Cancel(scope), RunnerOutput::default(), expected)
            }
            JobEvent::ResultInvalid { job } => {
                let expected = self.model.invalidate(job, self.now);
                self.apply_event(job, CoreEvent::ResultInvalid, RunnerOutput::default(), expected)
            }
            JobEvent::Sweep => self.sweep(),
            JobEvent::Prune => self.prune(),
            JobEvent::Delete { job, other } => self.delete(job, other),
            JobEvent::Restart => self.restart(),
        }?;
        self.compare_periodically()
    }

    fn store(&self) -> Arc<dyn Store> {
        self.store.store()
    }

    const fn timestamp(&self) -> Timestamp {
        test_store::timestamp(self.now)
    }

    fn submit(&mut self, submission: Submission) -> Result<(), JobViolation> {
        let current_job = self.model.current(submission.key);
        let expected = self.model.submit(&submission, self.now);
        let (new, now) = (new_job(&submission, self.timestamp()), self.timestamp());
        let submitted = self.runtime.block_on(self.store().submit(new, now))?;
        let (actual, job) = match &submitted {
            SubmitOutcome::New(job) => (SubmitResult::New, Some(job)),
            SubmitOutcome::Existing(found) => {
                (SubmitResult::Existing(fixtures::submission_of(found.job.id)), Some(&found.job))
            }
            SubmitOutcome::Conflict => (SubmitResult::Conflict, None),
            SubmitOutcome::QueueFull(full) => (SubmitResult::QueueFull(*full), None),
        };
        JobViolation::check_same("a submission", &actual, &expected)?;
        match (actual, current_job) {
            (SubmitResult::New, Some(current_job)) if submission.cache_mode == CacheMode::Reuse => {
                self.invariants.ensure_ended(current_job)?;
                self.invariants.record_created(submission.number)?;
            }
            (SubmitResult::New, _) => self.invariants.record_created(submission.number)?,
            (SubmitResult::Existing(_), _) if job.is_some_and(Job::has_ended) => {
                self.invariants.coverage_mut().cached += 1
            }
            (SubmitResult::Existing(_), _) => self.invariants.coverage_mut().joined += 1,
            (SubmitResult::Conflict, _) => self.invariants.coverage_mut().conflicts += 1,
            (SubmitResult::QueueFull(_), _) => self.invariants.coverage_mut().queue_full += 1,
        }
        job.map_or(Ok(()), |job| self.check(job))?;
        self.compare_current(submission.key)
    }

    /// Dispatches the next job. The backlog is queried first, because this query makes due delayed jobs ready.
    fn dispatch(&mut self, runner: u8, types: u8) -> Result<(), JobViolation> {
        self.compare_backlog()?;
        self.compare_available(types)?;
        let expected = self.model.dispatch(runner, types, self.now);
        let (job_types, runner_id) = (fixtures::types(types), fixtures::runner(runner));
        let leased =
            self.runtime.block_on(self.store().dispatch(&job_types, &runner_id, self.timestamp()))?;
        let actual = leased.as_ref().map(|leased| fixtures::submission_of(leased.job.id));
        JobViolation::check_same("the next job", &actual, &expected)?;
        let Some(LeasedJob { job, input }) = leased else { return Ok(()) };
        let number = fixtures::submission_of(job.id);
        let row = row_of(&job);
        JobViolation::check_same("the parameters of the next job", &input, &fixtures::text(row.key))?;
        self.invariants.record_transition(number, Transition::Dispatched, &row)?;
        self.remember_lease(number, runner, row.lease);
        self.check(&job)
    }

    fn remember_lease(&mut self, job: u32, runner: u8, lease: u64) {
        if self.granted_leases.len() == MAX_REMEMBERED_LEASES {
            self.granted_leases.remove(0);
        }
        self.granted_leases.push(GrantedLease { job, runner, lease });
    }

    fn report(&mut self, job: u32, report: Report) -> Result<(), JobViolation> {
        let expected = self.model.report(job, &report, self.now);
        let output = output_of(&report);
        self.apply_event(job, core_event_of(&report), output, expected)
    }

    fn apply_event(
        &mut self,
        job: u32,
        event: CoreEvent,
        output: RunnerOutput,
        expected: EventResult,
    ) -> Result<(), JobViolation> {
        let Some(id) = self.store.id_of(job) else {
            return JobViolation::check_same(
                "a report about an unknown job",
                &EventResult::UnknownJob,
                &expected,
            );
        };
        let runner = if let CoreEvent::Claim { runner } = &event {
            Some(fixtures::runner_number(runner))
        } else {
            None
        };
        let outcome = self.runtime.block_on(self.store().apply_event(id, event, output, self.timestamp()))?;
        let (actual, job_after) = match outcome {
            EventOutcome::Applied(applied) => (EventResult::Applied(applied.transition), Some(applied.job)),
            EventOutcome::Rejected(rejected, job) => (EventResult::Rejected(rejected), Some(job)),
            EventOutcome::ConsoleFull => (EventResult::ConsoleFull, None),
            EventOutcome::UnknownJob => (EventResult::UnknownJob, None),
        };
        JobViolation::check_same("an event", &actual, &expected)?;
        match (actual, &job_after) {
            (EventResult::Applied(transition), Some(changed)) => {
                let row = row_of(changed);
                self.invariants.record_transition(job, transition, &row)?;
                if let Some(runner) = runner {
                    self.remember_lease(job, runner, row.lease);
                }
            }
            _ => self.invariants.coverage_mut().rejected += 1,
        }
        job_after.as_ref().map_or(Ok(()), |job| self.check(job))?;
        self.compare_job(job)
    }

    fn sweep(&mut self) -> Result<(), JobViolation> {
        let expected = self.model.sweep(self.now);
        let mut changed = Vec::new();
        loop {
            let batch = self.runtime.block_on(self.store().sweep(
                BATCH_SIZE,
                Timestamp::default(),
                self.timestamp(),
            ))?;
            let is_last = batch.len() < BATCH_SIZE;
            for AppliedEvent { job, transition, .. } in batch {
                let number = fixtures::submission_of(job.id);
                self.invariants.record_transition(number, transition, &row_of(&job))?;
                self.check(&job)?;
                changed.push((number, transition));
            }
            if is_last {
                break;
            }
        }
        changed.sort_unstable_by_key(|(number, _)| *number);
        JobViolation::check_same("the jobs that were due", &changed, &expected)
    }

    fn prune(&mut self) -> Result<(), JobViolation> {
        let before: Vec<u32> = self.model.jobs().map(|(number, _)| number).collect();
        let expected = self.model.prune(self.now);
        let keep_for = std::time::Duration::from_millis(self.settings.keep_for);
        let retention = Retention { keep_for, max_bytes: self.settings.max_bytes, at_most: BATCH_SIZE };
        let mut pruned = 0;
        loop {
            let batch = self.runtime.block_on(self.store().prune(retention, self.timestamp()))?.jobs;
            pruned += batch;
            if batch < BATCH_SIZE as u64 {
                break;
            }
        }
        JobViolation::check_same("the number of pruned jobs", &pruned, &expected)?;
        let removed = before.into_iter().filter(|number| self.model.job(*number).is_none());
        removed.collect::<Vec<_>>().into_iter().try_for_each(|number| self.invariants.record_removed(number))
    }

    fn delete(&mut self, job: u32, other: u32) -> Result<(), JobViolation> {
        let ids: Vec<_> = [job, other].into_iter().filter_map(|number| self.store.id_of(number)).collect();
        let expected: Vec<u32> =
            [job, other].into_iter().filter(|number| self.model.delete(*number)).collect();
        let deleted = self.runtime.block_on(self.store().delete(&ids))?;
        let deleted: Vec<u32> = deleted.into_iter().map(fixtures::submission_of).collect();
        JobViolation::check_same("the deleted jobs", &deleted, &expected)?;
        deleted.into_iter().try_for_each(|number| self.invariants.record_removed(number))
    }

    /// Stops and starts the service. No confirmed change may be lost.
    fn restart(&mut self) -> Result<(), JobViolation> {
        self.store.restart()?;
        self.invariants.coverage_mut().restarts += 1;
        self.compare_all()
    }

    /// Compares a job that the store returned with the model and the invariants.
    fn check(&mut self, job: &Job) -> Result<(), JobViolation> {
        let number = fixtures::submission_of(job.id);
        self.store.remember_id(number, job.id);
        let row = row_of(job);
        let expected = self.model.job(number).map(|(row, _)| row.clone());
        JobViolation::check_same(&format!("job {number}"), &Some(&row), &expected.as_ref())?;
        self.invariants.observe(number, &row)
    }
}

fn new_job(submission: &Submission, now: Timestamp) -> NewJob {
    let millis = std::time::Duration::from_millis;
    NewJob {
        id: fixtures::job_id(submission.number, now),
        job_type: fixtures::job_type(fixtures::type_of(submission.key)),
        key: fixtures::cache_key(submission.key),
        input: fixtures::text(submission.key),
        options: JobOptions {
            priority: submission.priority,
            run_at: now.after(millis(submission.delay)),
            max_attempts: submission.max_attempts,
            retry_backoff: millis(submission.backoff),
            ttl: submission.ttl.map(millis),
        },
        cache_mode: submission.cache_mode,
        idempotency_key: submission.idempotency.map(|number| IdempotencyKey([number; 32])),
    }
}

fn core_event_of(report: &Report) -> CoreEvent {
    let lease_claim =
        job::LeaseClaim { runner: fixtures::runner(report.runner), lease: report.lease.map(LeaseId::new) };
    match report.kind {
        ReportKind::Start => CoreEvent::Start(lease_claim),
        ReportKind::Heartbeat(progress) => {
            let progress = progress.map(|current| Progress { current: current.into(), total: 100 });
            CoreEvent::Heartbeat { lease_claim, progress }
        }
        ReportKind::Complete(result) => {
            CoreEvent::Complete { lease_claim, result: fixtures::fingerprint(result) }
        }
        ReportKind::Fail(report) => CoreEvent::Fail { lease_claim, report: fixtures::fingerprint(report) },
    }
}

fn output_of(report: &Report) -> RunnerOutput {
    let bytes = |count: u8| "x".repeat(count.into());
    let console = report.console.map(|console| match console {
        ConsoleOutput::Replace(count) => ConsoleUpdate::Replace(bytes(count)),
        ConsoleOutput::Append(count) => ConsoleUpdate::Append(bytes(count)),
    });
    let (output, error) = match report.kind {
        ReportKind::Complete(result) => (Some(fixtures::text(result)), None),
        ReportKind::Fail(report) => (None, Some(fixtures::text(report))),
        ReportKind::Start | ReportKind::Heartbeat(_) => (None, None),
    };
    RunnerOutput { console, result: output, error }
}
