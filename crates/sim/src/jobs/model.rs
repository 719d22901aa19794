//! The reference model of jobs: a second, simple implementation. Every job is a row in a list, and every query reads
//! all rows. It shares only the names of outcomes with `core::job`.

use std::collections::BTreeMap;

use pilotlight_core::job::{
    CacheMode, CancelScope, Failure, QueueFull, QueueUsage, Rejected, Status, Transition,
};

use super::event::{ConsoleOutput, ReportKind, Settings, Submission};
use super::fixtures;

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `core::job::Job`")]
pub struct ModelJob {
    pub key: u8,
    pub current: bool,
    pub priority: i32,
    pub run_at: u64,
    pub callers: u32,
    pub created: u64,
    pub updated: u64,
    pub ready: u64,
    pub attempts: u32,
    pub lost_attempts: u32,
    pub lease: u64,
    pub state: ModelState,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `core::job::State`")]
pub enum ModelState {
    Pending,
    Dispatching { assignment: ModelAssignment, until: u64 },
    Running { assignment: ModelAssignment, last_seen: u64, progress: Option<u64>, has_heartbeat: bool },
    Completed { assignment: ModelAssignment, result: u8, until: Option<u64>, is_stale: bool },
    Failed { assignment: Option<ModelAssignment>, report: Option<u8>, reason: Failure, until: Option<u64> },
}

/// The runner that has a job, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say what they are")]
pub struct ModelAssignment {
    pub runner: u8,
    pub since: u64,
}

/// The options, reports and outputs of a job, in addition to its row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobDetails {
    max_attempts: u32,
    backoff: u64,
    ttl: Option<u64>,
    ended: u64,
    idempotency: Vec<u8>,
    /// Size of the console in bytes.
    pub console: usize,
    /// The number of the job's result.
    pub output: Option<u8>,
    /// The number of the job's failure report.
    pub error: Option<u8>,
}

/// The outcome of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitResult {
    /// A new job.
    New,
    /// An existing job.
    Existing(u32),
    /// The idempotency key belongs to another submission.
    Conflict,
    /// The queue is full.
    QueueFull(QueueFull),
}

/// The outcome of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventResult {
    /// The event was applied.
    Applied(Transition),
    /// The event was rejected.
    Rejected(Rejected),
    /// The console is too long.
    ConsoleFull,
    /// The job does not exist.
    UnknownJob,
}

/// A report about an execution.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "as in `Event::Report`")]
pub struct Report {
    pub runner: u8,
    pub lease: Option<u64>,
    pub kind: ReportKind,
    pub console: Option<ConsoleOutput>,
}

/// All jobs.
#[derive(Debug)]
pub struct JobModel {
    settings: Settings,
    jobs: BTreeMap<u32, (ModelJob, JobDetails)>,
}

impl ModelState {
    /// Whether the job has ended.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Failed { .. })
    }

    const fn assignment(&self) -> Option<ModelAssignment> {
        match self {
            Self::Pending => None,
            Self::Dispatching { assignment, .. }
            | Self::Running { assignment, .. }
            | Self::Completed { assignment, .. } => Some(*assignment),
            Self::Failed { assignment, .. } => *assignment,
        }
    }
}

impl ModelJob {
    /// The job's status at this time.
    #[must_use]
    pub fn status(&self, now: u64) -> Status {
        match self.state {
            ModelState::Pending => Status::Pending,
            ModelState::Running { has_heartbeat: true, .. } => Status::InProgress,
            ModelState::Dispatching { .. } | ModelState::Running { .. } => Status::Claimed,
            ModelState::Completed { is_stale: true, .. } => Status::Expired,
            ModelState::Completed { until: Some(until), .. } if until <= now => Status::Expired,
            ModelState::Completed { .. } => Status::Completed,
            ModelState::Failed { .. } => Status::Failed,
        }
    }

    fn is_ready(&self, now: u64) -> bool {
        self.state == ModelState::Pending && self.ready <= now
    }

    /// Whether the result or failure of this job answers equal submissions.
    fn is_reusable(&self, now: u64) -> bool {
        match self.state {
            ModelState::Failed { until, .. } => until.is_some_and(|until| now < until),
            ModelState::Completed { .. } => self.status(now) == Status::Completed,
            ModelState::Pending | ModelState::Dispatching { .. } | ModelState::Running { .. } => false,
        }
    }

    fn queue(&mut self, ready: Option<u64>) {
        self.ready = ready.unwrap_or(self.ready);
        self.state = ModelState::Pending;
    }
}

impl JobModel {
    /// A model without jobs.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, jobs: BTreeMap::new() }
    }

    /// The job with this number.
    #[must_use]
    pub fn job(&self, number: u32) -> Option<&(ModelJob, JobDetails)> {
        self.jobs.get(&number)
    }

    /// All jobs, in the order of submission.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = (u32, &ModelJob)> {
        self.jobs.iter().map(|(number, (row, _))| (*number, row))
    }

    /// The job that equal submissions find.
    #[must_use]
    pub fn current(&self, key: u8) -> Option<u32> {
        self.jobs().find(|(_, row)| row.key == key && row.current).map(|(number, _)| number)
    }

    /// The ready jobs of these types, in the order of submission.
    #[must_use]
    pub fn ready(&self, types: u8, now: u64) -> Vec<u32> {
        let ready = self
            .jobs()
            .filter(|(_, row)| row.is_ready(now) && fixtures::has(types, fixtures::type_of(row.key)));
        ready.map(|(number, _)| number).collect()
    }

    /// When the next delayed job becomes ready.
    #[must_use]
    pub fn next_at(&self, now: u64) -> Option<u64> {
        let waiting = self.jobs().filter(|(_, row)| row.state == ModelState::Pending && row.ready > now);
        waiting.map(|(_, row)| row.ready).min()
    }

    /// The usage of the queue.
    #[must_use]
    pub fn queue_usage(&self) -> QueueUsage {
        let waiting = self.jobs.values().filter(|(row, _)| row.state == ModelState::Pending);
        let bytes: Vec<u64> = waiting.map(|(row, details)| bytes_of(row, details)).collect();
        QueueUsage { jobs: bytes.len() as u64, bytes: bytes.iter().sum() }
    }

    /// Submits a job.
    pub fn submit(&mut self, submission: &Submission, now: u64) -> SubmitResult {
        if let Some((job, key)) = self.find_by_idempotency(submission.idempotency) {
            return if key == submission.key { SubmitResult::Existing(job) } else { SubmitResult::Conflict };
        }
        let Some(current_job) = self.current(submission.key) else { return self.add(submission, true, now) };
        let row = &self.jobs[&current_job].0;
        let (is_active, is_reusable) = (!row.state.is_end(), row.is_reusable(now));
        match submission.cache_mode {
            CacheMode::Recompute => self.add(submission, !is_active && !is_reusable, now),
            CacheMode::Reuse if is_active => {
                self.join_current(current_job, submission, now);
                SubmitResult::Existing(current_job)
            }
            CacheMode::Reuse if is_reusable => SubmitResult::Existing(current_job),
            CacheMode::Reuse => self.add(submission, true, now),
        }
    }

    fn find_by_idempotency(&self, idempotency: Option<u8>) -> Option<(u32, u8)> {
        let idempotency_key = idempotency?;
        let found = self.jobs.iter().find(|(_, (_, details))| details.idempotency.contains(&idempotency_key));
        found.map(|(number, (row, _))| (*number, row.key))
    }

    fn add(&mut self, submission: &Submission, current: bool, now: u64) -> SubmitResult {
        let (limits, usage) = (self.settings.queue_limits, self.queue_usage());
        if limits.jobs > 0 && usage.jobs >= limits.jobs {
            return SubmitResult::QueueFull(QueueFull::Jobs(limits.jobs));
        }
        if limits.bytes > 0 && usage.bytes >= limits.bytes {
            return SubmitResult::QueueFull(QueueFull::Bytes(limits.bytes));
        }
        if current {
            self.clear_current(submission.key);
        }
        let run_at = now + submission.delay;
        let row = ModelJob {
            key: submission.key,
            current,
            priority: submission.priority,
            run_at,
            callers: 1,
            created: now,
            updated: now,
            ready: run_at,
            attempts: 0,
            lost_attempts: 0,
            lease: 0,
            state: ModelState::Pending,
        };
        let details = JobDetails {
            max_attempts: submission.max_attempts,
            backoff: submission.backoff,
            ttl: submission.ttl,
            idempotency: submission.idempotency.into_iter().collect(),
            ..JobDetails::default()
        };
        self.jobs.insert(submission.number, (row, details));
        SubmitResult::New
    }

    fn clear_current(&mut self, key: u8) {
        self.jobs.values_mut().filter(|(row, _)| row.key == key).for_each(|(row, _)| row.current = false);
    }

    fn join_current(&mut self, current_job: u32, submission: &Submission, now: u64) {
        let Some((row, details)) = self.jobs.get_mut(&current_job) else { return };
        let run_at = now + submission.delay;
        row.callers += 1;
        row.priority = row.priority.max(submission.priority);
        row.run_at = row.run_at.min(run_at);
        if row.attempts + row.lost_attempts == 0 {
            row.ready = row.ready.min(run_at);
        }
        row.updated = now;
        details.idempotency.extend(submission.idempotency);
    }

    /// Dispatches the next job to the runner.
    pub fn dispatch(&mut self, runner: u8, types: u8, now: u64) -> Option<u32> {
        let ready = self.ready(types, now);
        let urgent = ready.iter().map(|number| self.jobs[number].0.priority).max()?;
        let next = ready.into_iter().find(|number| self.jobs[number].0.priority == urgent)?;
        let until = now + self.settings.start_timeout;
        self.grant_lease(next, runner, now, |assignment| ModelState::Dispatching { assignment, until });
        Some(next)
    }

    /// The runner claims this job.
    pub fn claim(&mut self, job: u32, runner: u8, now: u64) -> EventResult {
        let Some((row, _)) = self.jobs.get(&job) else { return EventResult::UnknownJob };
        if !row.is_ready(now) {
            return EventResult::Rejected(Rejected::NotAvailable);
        }
        self.grant_lease(job, runner, now, |assignment| ModelState::Running {
            assignment,
            last_seen: now,
            progress: None,
            has_heartbeat: false,
        });
        self.jobs.get_mut(&job).expect("the job exists").0.attempts += 1;
        EventResult::Applied(Transition::Claimed)
    }

    fn grant_lease(
        &mut self,
        job: u32,
        runner: u8,
        now: u64,
        state: impl FnOnce(ModelAssignment) -> ModelState,
    ) {
        let (row, details) = self.jobs.get_mut(&job).expect("only an existing job is leased");
        row.lease += 1;
        row.updated = now;
        row.state = state(ModelAssignment { runner, since: now });
        details.console = 0;
    }

    /// A runner reports about an execution.
    pub fn report(&mut self, job: u32, report: &Report, now: u64) -> EventResult {
        let Some(before) = self.jobs.get(&job).cloned() else { return EventResult::UnknownJob };
        let (mut row, mut details) = before;
        let transition = match self.apply_report(&mut row, &details, report, now) {
            Ok(Transition::Unchanged) => return EventResult::Applied(Transition::Unchanged),
            Ok(transition) => transition,
            Err(rejected) => return EventResult::Rejected(rejected),
        };
        if transition == Transition::Claimed {
            details.console = 0;
        }
        match report.console {
            None => {}
            Some(ConsoleOutput::Replace(bytes)) => details.console = bytes.into(),
            Some(ConsoleOutput::Append(bytes)) => details.console += usize::from(bytes),
        }
        if details.console > self.settings.console_bytes && report.console.is_some() {
            return EventResult::ConsoleFull;
        }
        self.record_end(&mut row, &mut details, report.kind, now);
        row.updated = now;
        if transition == Transition::Completed && !self.has_later_result(job, row.key, now) {
            self.clear_current(row.key);
            row.current = true;
        }
        self.jobs.insert(job, (row, details));
        EventResult::Applied(transition)
    }

    /// Whether a later submission has a current and valid result.
    fn has_later_result(&self, job: u32, key: u8, now: u64) -> bool {
        let mut later = self.jobs().filter(|(number, row)| *number > job && row.key == key && row.current);
        later.any(|(_, row)| row.status(now) == Status::Completed)
    }

    /// Applies a report to a row.
    fn apply_report(
        &self,
        row: &mut ModelJob,
        details: &JobDetails,
        report: &Report,
        now: u64,
    ) -> Result<Transition, Rejected> {
        self.verify_lease(row, report)?;
        if let Some(repeated) = repeated_report(row, report.kind) {
            return repeated;
        }
        let has_started = match row.state {
            ModelState::Dispatching { assignment, until } if now < until => {
                row.attempts += 1;
                row.state =
                    ModelState::Running { assignment, last_seen: now, progress: None, has_heartbeat: false };
                true
            }
            ModelState::Running { .. } => false,
            ModelState::Dispatching { .. } => return Err(Rejected::StaleLease),
            ModelState::Failed { reason: Failure::Cancelled, .. } => {
                return Err(Rejected::Cancelled);
            }
            ModelState::Completed { .. } | ModelState::Failed { .. } => {
                return Err(Rejected::EndedDifferently);
            }
            ModelState::Pending => return Err(Rejected::NotLeaseHolder),
        };
        let ModelState::Running { assignment, progress: previous, .. } = row.state else {
            return Err(Rejected::NotLeaseHolder);
        };
        match report.kind {
            ReportKind::Start if has_started => Ok(Transition::Claimed),
            ReportKind::Start => Ok(Transition::Unchanged),
            ReportKind::Heartbeat(progress) => {
                let progress = progress.map(u64::from).or(previous);
                row.state = ModelState::Running { assignment, last_seen: now, progress, has_heartbeat: true };
                Ok(Transition::Heartbeat)
            }
            ReportKind::Complete(result) => {
                let until = details.ttl.map(|ttl| now + ttl);
                row.state = ModelState::Completed { assignment, result, until, is_stale: false };
                Ok(Transition::Completed)
            }
            ReportKind::Fail(_) if row.attempts < details.max_attempts => {
                row.queue(Some(now + backoff_after(details.backoff, row.attempts)));
                Ok(Transition::Queued)
            }
            ReportKind::Fail(report) => {
                let (report, until) = (Some(report), Some(now + self.settings.failed_ttl));
                row.state = ModelState::Failed {
                    assignment: Some(assignment),
                    report,
                    reason: Failure::Error,
                    until,
                };
                Ok(Transition::Failed)
            }
        }
    }

    fn verify_lease(&self, row: &ModelJob, report: &Report) -> Result<(), Rejected> {
        let has_lease = row.state.assignment().is_some_and(|assignment| assignment.runner == report.runner);
        match report.lease {
            Some(lease) if lease == row.lease && has_lease => Ok(()),
            Some(_) => Err(Rejected::StaleLease),
            None if has_lease => Ok(()),
            None => Err(Rejected::NotLeaseHolder),
        }
    }

    fn record_end(&self, row: &mut ModelJob, details: &mut JobDetails, kind: ReportKind, now: u64) {
        if !row.state.is_end() {
            return;
        }
        details.ended = now;
        match kind {
            ReportKind::Complete(result) => details.output = Some(result),
            ReportKind::Fail(report) => details.error = Some(report),
            ReportKind::Start | ReportKind::Heartbeat(_) => {}
        }
    }

    /// A dispatch did not reach its runner.
    pub fn dispatch_failed(&mut self, job: u32, lease: u64, now: u64) -> EventResult {
        let Some((row, _)) = self.jobs.get_mut(&job) else { return EventResult::UnknownJob };
        if row.lease != lease || !matches!(row.state, ModelState::Dispatching { .. }) {
            return EventResult::Rejected(Rejected::StaleLease);
        }
        row.queue(None);
        row.updated = now;
        EventResult::Applied(Transition::Queued)
    }

    /// A caller or an operator cancels the job.
    pub fn cancel(&mut self, job: u32, scope: CancelScope, now: u64) -> EventResult {
        let Some((row, details)) = self.jobs.get_mut(&job) else { return EventResult::UnknownJob };
        if row.state.is_end() {
            return EventResult::Rejected(Rejected::AlreadyEnded);
        }
        row.updated = now;
        row.callers = match scope {
            CancelScope::OneCaller => row.callers.saturating_sub(1),
            CancelScope::AllCallers => 0,
        };
        if row.callers > 0 {
            return EventResult::Applied(Transition::CallerLeft);
        }
        let assignment = row.state.assignment();
        row.state = ModelState::Failed { assignment, report: None, reason: Failure::Cancelled, until: None };
        details.ended = now;
        EventResult::Applied(Transition::Failed)
    }

    /// The result is no longer valid.
    pub fn invalidate(&mut self, job: u32, now: u64) -> EventResult {
        let Some((row, _)) = self.jobs.get_mut(&job) else { return EventResult::UnknownJob };
        let ModelState::Completed { is_stale, .. } = &mut row.state else {
            return EventResult::Rejected(Rejected::EndedDifferently);
        };
        if std::mem::replace(is_stale, true) {
            return EventResult::Applied(Transition::Unchanged);
        }
        row.updated = now;
        EventResult::Applied(Transition::Expired)
    }

    /// Advances all due jobs to this time.
    pub fn sweep(&mut self, now: u64) -> Vec<(u32, Transition)> {
        let Settings { heartbeat_timeout, lost_retries, .. } = self.settings;
        let mut changed = Vec::new();
        for (number, (row, details)) in &mut self.jobs {
            let transition = match &mut row.state {
                ModelState::Dispatching { until, .. } if *until <= now => {
                    row.queue(None);
                    Transition::Queued
                }
                ModelState::Running { assignment, last_seen, .. }
                    if *last_seen + heartbeat_timeout <= now =>
                {
                    let assignment = *assignment;
                    row.lost_attempts += 1;
                    if row.lost_attempts <= lost_retries {
                        row.attempts -= 1;
                        row.queue(Some(now));
                        Transition::Queued
                    } else {
                        let (report, until) = (None, None);
                        row.state = ModelState::Failed {
                            assignment: Some(assignment),
                            report,
                            reason: Failure::Lost,
                            until,
                        };
                        details.ended = now;
                        Transition::Failed
                    }
                }
                ModelState::Completed { until: Some(until), is_stale, .. } if !*is_stale && *until <= now => {
                    *is_stale = true;
                    Transition::Expired
                }
                ModelState::Pending | ModelState::Dispatching { .. } | ModelState::Running { .. } => continue,
                ModelState::Completed { .. } | ModelState::Failed { .. } => continue,
            };
            row.updated = now;
            changed.push((*number, transition));
        }
        changed
    }

    /// Deletes old jobs. Returns the number of deleted jobs.
    pub fn prune(&mut self, now: u64) -> u64 {
        let Settings { keep_for, max_bytes, .. } = self.settings;
        let ended = self.jobs.iter().filter(|(_, (row, _))| row.state.is_end());
        let mut ended: Vec<_> =
            ended.map(|(number, (row, details))| (details.ended, *number, bytes_of(row, details))).collect();
        ended.sort_unstable();
        let mut remaining: u64 = ended.iter().map(|(_, _, bytes)| bytes).sum();
        let mut pruned = 0;
        for (at, number, bytes) in ended {
            if now - at < keep_for && (max_bytes == 0 || remaining <= max_bytes) {
                break;
            }
            self.jobs.remove(&number);
            remaining -= bytes;
            pruned += 1;
        }
        pruned
    }

    /// Deletes a job. Returns whether it existed.
    pub fn delete(&mut self, job: u32) -> bool {
        self.jobs.remove(&job).is_some()
    }
}

/// The size of the job's parameters, output and console.
fn bytes_of(row: &ModelJob, details: &JobDetails) -> u64 {
    let texts = [Some(row.key), details.output, details.error].into_iter().flatten();
    (texts.map(|number| fixtures::text(number).len()).sum::<usize>() + details.console) as u64
}

/// The outcome of a report that repeats the report which ended the job; `None` for other reports.
fn repeated_report(row: &ModelJob, kind: ReportKind) -> Option<Result<Transition, Rejected>> {
    match (row.state, kind) {
        (ModelState::Completed { result, .. }, ReportKind::Complete(repeated)) if result == repeated => {
            Some(Ok(Transition::Unchanged))
        }
        (ModelState::Failed { report: Some(report), .. }, ReportKind::Fail(repeated))
            if report == repeated =>
        {
            Some(Ok(Transition::Unchanged))
        }
        _ => None,
    }
}

/// The backoff after a failure. Each further failure doubles it, up to one hour.
fn backoff_after(first: u64, failures: u32) -> u64 {
    let mut backoff = first;
    for _ in 1..failures {
        backoff = (backoff * 2).min(3_600_000).max(first);
    }
    backoff
}
