//! The arguments and results of the store's operations.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{
    CacheMode, EndedAttempt, Job, JobId, JobOptions, JobPolicy, QueueFull, QueueLimits, QueueUsage, Rejected,
    Status, Transition,
};
use pilotlight_core::time::Timestamp;

/// The part of the configuration that the store needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The rules that apply to all jobs: timeouts and retries.
    pub policy: JobPolicy,
    /// Job types with a configured webhook.
    pub webhook_types: Arc<HashSet<JobType>>,
    /// Limits on the stored data of one job.
    pub limits: Limits,
    /// How many jobs and bytes may wait for runners. Several instances on one store may exceed a limit slightly: by the
    /// jobs that the others accepted within the last moment.
    pub queue_limits: QueueLimits,
}

/// Limits on the stored data of one job.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of console output, all chunks of an attempt together.
    pub console_bytes: usize,
}

/// A submission.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// The id of the job, if the submission becomes a new one.
    pub id: JobId,
    /// The job type.
    pub job_type: JobType,
    /// The cache key: equal submissions have the same one.
    pub key: CacheKey,
    /// The parameters: the caller's JSON, unchanged.
    pub input: String,
    /// The options that the caller chose.
    pub options: JobOptions,
    /// Whether an existing job or result may answer the submission.
    pub cache_mode: CacheMode,
    /// Makes it safe to repeat the submission.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// The SHA-256 of the caller's `Idempotency-Key`. The store maps it to the job that the submission created or joined,
/// as long as that job exists. A submission that found an ended job stores no key: repeating it changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey(pub [u8; 32]);

/// The outcome of a submission.
#[derive(Debug, Clone)]
pub enum SubmitOutcome {
    /// A new job.
    New(Job),
    /// An equal job exists: it is under way and now has one more caller, or it has ended. Or the job of a repeated
    /// `Idempotency-Key`.
    Existing(JobRecord),
    /// The same `Idempotency-Key` was used for a different submission before. Nothing has changed.
    Conflict,
    /// It would be a new job, and the queue is full. Nothing has changed.
    QueueFull(QueueFull),
}

/// A job and its output.
#[derive(Debug, Clone)]
pub struct JobRecord {
    /// The job.
    pub job: Job,
    /// Result, error and console. [`crate::ReadStore::job`] always returns it, because of the console so far; the other
    /// operations return `None` for a job that has not ended.
    pub output: Option<JobOutput>,
}

/// The result or error of a job, and its console.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobOutput {
    /// The result: the runner's JSON, unchanged.
    pub result: Option<String>,
    /// The error message of a failed job.
    pub error: Option<String>,
    /// The console output of its last attempt.
    pub console: String,
}

/// A job with its parameters, as a runner needs it.
#[derive(Debug, Clone)]
pub struct LeasedJob {
    /// The job: leased to the runner when it comes from [`crate::JobStore::dispatch`], unleased when it comes from
    /// [`crate::ReadStore::available`].
    pub job: Job,
    /// Its parameters, JSON.
    pub input: String,
}

/// The output that a runner sends with an event. It is stored only when the event is applied and changes the job: the
/// console always, result and error only when the job ends with this event. A new attempt begins with an empty console.
#[derive(Debug, Clone, Default)]
pub struct RunnerOutput {
    /// A change of the console.
    pub console: Option<ConsoleUpdate>,
    /// The result, JSON.
    pub result: Option<String>,
    /// The error message.
    pub error: Option<String>,
}

/// A change of a job's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsoleUpdate {
    /// The whole console so far; it replaces the stored one.
    Replace(String),
    /// A chunk to be appended to the stored console.
    Append(String),
}

/// The outcome of an event.
#[derive(Debug, Clone)]
pub enum EventOutcome {
    /// The event was applied.
    Applied(AppliedEvent),
    /// The event was rejected, and nothing has changed. The job is included as it is.
    Rejected(Rejected, Job),
    /// The console would exceed [`Limits::console_bytes`]; nothing has changed.
    ConsoleFull,
    /// No job has this id.
    UnknownJob,
}

/// A job after an event.
#[derive(Debug, Clone)]
pub struct AppliedEvent {
    /// What the event changed.
    pub transition: Transition,
    /// The job now.
    pub job: Job,
    /// The attempt that the event ended, if it ended one.
    pub ended_attempt: Option<EndedAttempt>,
}

/// The jobs that wait for runners.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The job types with ready jobs, and the number of ready jobs of each.
    pub ready: Vec<(JobType, u64)>,
    /// Number and bytes of all waiting jobs, ready and delayed.
    pub usage: QueueUsage,
    /// When the next delayed job becomes ready; `None` when no job is delayed. A time in the past means that there were
    /// too many to make ready at once: the caller asks again.
    pub next_at: Option<Timestamp>,
}

/// Which jobs a list contains.
#[derive(Debug, Clone, Copy, Default)]
pub struct JobFilter {
    /// Only jobs with this status; all jobs when `None`.
    pub status: Option<Status>,
    /// The maximum number of jobs, the newest first.
    pub limit: usize,
}

/// The numbers of jobs and runners.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs by status, in the order of [`Status::ALL`].
    pub jobs: [u64; 6],
    /// Registered runners.
    pub runners: u64,
    /// Runners last seen after `active_since` (see [`crate::ReadStore::counts`]).
    pub active_runners: u64,
}

/// A registered runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Its id.
    pub id: RunnerId,
    /// The name that it registered with.
    pub name: String,
    /// The capabilities that it registered with.
    pub capabilities: Vec<String>,
    /// When it registered.
    pub registered_at: Timestamp,
    /// When its last request arrived.
    pub seen_at: Timestamp,
}

/// How long and within how many bytes ended jobs are stored.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// How long after its end a job is stored.
    pub keep_for: Duration,
    /// The maximum number of bytes of the parameters, results and consoles of ended jobs; 0 is unlimited. The jobs that
    /// ended first are deleted first. Jobs that have not ended do not count: deleting others would not shrink them.
    pub max_bytes: u64,
    /// The maximum number of jobs that one call deletes.
    pub at_most: usize,
}

/// What a prune deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneStats {
    /// Number of jobs.
    pub jobs: u64,
    /// Bytes of their parameters, results and consoles.
    pub bytes: u64,
}

/// A webhook call that is still to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookCall {
    /// Its id; never used for another call.
    pub id: WebhookCallId,
    /// The job.
    pub job: JobId,
    /// The type of the job.
    pub job_type: JobType,
    /// What happened to the job.
    pub event: WebhookTrigger,
    /// When it happened.
    pub at: Timestamp,
    /// Number of failed deliveries so far.
    pub failures: u32,
}

/// The id of a webhook call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookCallId(pub i64);

/// The event that triggers a webhook call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebhookTrigger {
    /// The job was submitted.
    Created,
    /// The job completed.
    Completed,
    /// The job failed and is not retried.
    Failed,
}

/// A change made by another instance on the same store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreNotification {
    /// Jobs of these types may be ready.
    Ready(Vec<JobType>),
    /// These jobs changed.
    Changed(Vec<JobId>),
    /// Notifications were lost or were too many: any job may have changed, so read everything again.
    Resync,
}
