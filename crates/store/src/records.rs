//! What goes into the store and comes out of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{
    CacheMode, Job, JobId, JobOptions, JobPolicy, QueueFull, QueueLimits, QueueUsage, Rejected, Status,
    Transition,
};
use pilotlight_core::time::Timestamp;

/// What the store must know to decide as configured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The rules of all jobs.
    pub policy: JobPolicy,
    /// Types of whose jobs others are told (webhooks).
    pub webhook_types: Arc<HashSet<JobType>>,
    /// Caps on what is kept of one job.
    pub limits: Limits,
    /// How much may wait for runners. Several instances on one store may exceed it by what they take within a moment.
    pub queue_limits: QueueLimits,
}

/// Caps on what is kept of one job.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of console output, of all pieces together.
    pub console_bytes: usize,
}

/// A submission.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its name, if it becomes a job of its own.
    pub id: JobId,
    /// What kind of work it is.
    pub job_type: JobType,
    /// What equal submissions have in common.
    pub key: CacheKey,
    /// The parameters, JSON as the caller wrote it.
    pub input: String,
    /// The caller's wishes.
    pub options: JobOptions,
    /// Whether a known result will do.
    pub cache_mode: CacheMode,
    /// What makes it safe to submit twice.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// A SHA-256 of the caller's `Idempotency-Key`. It stands for the job that its submission became or joined, as long
/// as that job is there; a submission that found an end has done nothing that must not be done twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey(pub [u8; 32]);

/// What a submission became.
#[derive(Debug, Clone)]
pub enum SubmitOutcome {
    /// A job of its own.
    New(Job),
    /// An equal one was known: under way, now with one more caller, or ended.
    Existing(JobRecord),
    /// The same `Idempotency-Key` came with another submission before. Nothing has changed.
    Conflict,
    /// It would be a job of its own, and there is no room for one. Nothing has changed.
    QueueFull(QueueFull),
}

/// A job and its end.
#[derive(Debug, Clone)]
pub struct JobRecord {
    /// The job.
    pub job: Job,
    /// What it ended with; `None` while it has not, or when it was not asked for. [`crate::Store::job`] always has it,
    /// for the console so far.
    pub output: Option<JobOutput>,
}

/// What a job ended with, and what it said until then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobOutput {
    /// The result, JSON as its runner wrote it.
    pub result: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// What its command wrote.
    pub console: String,
}

/// A job on its way to a runner.
#[derive(Debug, Clone)]
pub struct LeasedJob {
    /// The job, leased to the runner where it was asked for.
    pub job: Job,
    /// Its parameters.
    pub input: String,
}

/// What a runner brings along with its word. It is kept only when the word is taken and changes something: the
/// console always, result and error when the job ends with it. A new try begins with an empty console.
#[derive(Debug, Clone, Default)]
pub struct RunnerOutput {
    /// What its command wrote.
    pub console: Option<ConsoleUpdate>,
    /// The result, JSON.
    pub result: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
}

/// What a command wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsoleUpdate {
    /// All of it so far, in place of what is known.
    Replace(String),
    /// What came since.
    Append(String),
}

/// What became of a word about a job.
#[derive(Debug, Clone)]
pub enum EventOutcome {
    /// It was taken.
    Applied(AppliedEvent),
    /// It was refused; nothing has changed. With the job as it is.
    Rejected(Rejected, Job),
    /// Console pieces would be more than the cap together; nothing has changed.
    ConsoleFull,
    /// There is no such job.
    UnknownJob,
}

/// A job after a word about it.
#[derive(Debug, Clone)]
pub struct AppliedEvent {
    /// What the word changed.
    pub transition: Transition,
    /// The job now.
    pub job: Job,
}

/// What waits for runners.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Types with jobs that a runner may have now, and how many of them, counted up to
    /// `pilotlight_core::limits::MAX_BACKLOG_COUNT`.
    pub ready: Vec<(JobType, u64)>,
    /// All that waits, whether its time has come or not.
    pub usage: QueueUsage,
    /// When the next job's time comes, if one is delayed. In the past when there were too many to make ready at once:
    /// ask again.
    pub next_at: Option<Timestamp>,
}

/// What is asked of a list of jobs.
#[derive(Debug, Clone, Copy, Default)]
pub struct JobFilter {
    /// Only those.
    pub status: Option<Status>,
    /// At most so many, the newest first.
    pub limit: usize,
}

/// How many jobs and runners there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Jobs by status, in the order of [`Status::ALL`].
    pub jobs: [u64; 6],
    /// Registered runners.
    pub runners: u64,
    /// Those that were seen since the moment asked for.
    pub active_runners: u64,
}

/// A registered runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Its identity.
    pub id: RunnerId,
    /// What it calls itself.
    pub name: String,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// When it registered.
    pub registered_at: Timestamp,
    /// When it last asked for anything.
    pub seen_at: Timestamp,
}

/// What is kept of ended jobs.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// For so long after they ended.
    pub keep_for: Duration,
    /// Within so many bytes of their parameters, results and consoles; 0 is without bound. The ones that ended first go
    /// first. What has not ended does not count: forgetting others would not make room for it.
    pub max_bytes: u64,
    /// At most so many in one transaction.
    pub at_most: usize,
}

/// What was pruned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneStats {
    /// Jobs.
    pub jobs: u64,
    /// Bytes of their parameters, results and consoles.
    pub bytes: u64,
}

/// Somebody who is still to be told of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookCall {
    /// Names the telling, for ever.
    pub id: WebhookCallId,
    /// The job.
    pub job: JobId,
    /// Its type.
    pub job_type: JobType,
    /// What happened to it.
    pub event: WebhookTrigger,
    /// When.
    pub at: Timestamp,
    /// How often it was tried in vain.
    pub failures: u32,
}

/// Names a telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookCallId(pub i64);

/// What others are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WebhookTrigger {
    /// It was submitted.
    Created,
    /// It has its result.
    Completed,
    /// It failed for good.
    Failed,
}

/// What another instance on the same store did, or that this was missed for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreNotification {
    /// Jobs of these types may be ready.
    Ready(Vec<JobType>),
    /// Something of these jobs changed.
    Changed(Vec<JobId>),
    /// Anything may have happened: look again.
    Resync,
}
