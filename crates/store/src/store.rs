//! The traits that both stores implement (`sqlite/` and `postgres/`). The conformance suite (`tests/conformance/`) runs
//! every case against both of them.

use async_trait::async_trait;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{Event, Job, JobId};
use pilotlight_core::time::Timestamp;

use crate::error::Error;
use crate::records::{
    AppliedEvent, Backlog, Counts, EventOutcome, JobFilter, JobRecord, LeasedJob, NewJob, PruneStats,
    Retention, Runner, RunnerOutput, SubmitOutcome, WebhookCall, WebhookCallId,
};

/// Reads jobs and runners. Changes nothing.
#[async_trait]
pub trait ReadStore: Send + Sync + std::fmt::Debug {
    /// The current job of a cache key, with its output if it has ended. Changes nothing.
    async fn lookup(&self, key: CacheKey) -> Result<Option<JobRecord>, Error>;

    /// A job, with its output and its console so far. While a job waits for a retry, the console is the one of its last
    /// attempt.
    async fn job(&self, id: JobId) -> Result<Option<JobRecord>, Error>;

    /// A job's parameters.
    async fn input(&self, id: JobId) -> Result<Option<String>, Error>;

    /// The ready jobs of these types in submission order, at most `at_most`. Changes nothing.
    async fn available(
        &self,
        types: &[JobType],
        at_most: usize,
        now: Timestamp,
    ) -> Result<Vec<LeasedJob>, Error>;

    /// Jobs that match the filter, the newest first, and the total number of jobs that match. The status of a job is
    /// its status at `now`.
    async fn jobs(&self, filter: JobFilter, now: Timestamp) -> Result<(Vec<Job>, u64), Error>;

    /// The jobs that are or were assigned to a runner, the newest first, at most `at_most`.
    async fn jobs_of_runner(&self, runner: &RunnerId, at_most: usize) -> Result<Vec<Job>, Error>;

    /// The numbers of jobs and runners. Runners last seen after `active_since` are active.
    async fn counts(&self, active_since: Timestamp, now: Timestamp) -> Result<Counts, Error>;

    /// The registered runner with this id.
    async fn runner(&self, runner: &RunnerId) -> Result<Option<Runner>, Error>;

    /// Registered runners, the last seen first, at most `at_most`, and their total number.
    async fn runners(&self, at_most: usize) -> Result<(Vec<Runner>, u64), Error>;
}

/// Writes jobs. Each method is one transaction: its change is committed when the method returns `Ok`.
#[async_trait]
pub trait JobStore: Send + Sync + std::fmt::Debug {
    /// Accepts a submission: it becomes a new job, joins an equal job under way as one more caller, or finds a finished
    /// one; `core::job::admit` decides. An `Idempotency-Key` that is already stored takes precedence: its job is
    /// returned and gets no further caller. A new job is created only within `core::job::QueueLimits`.
    async fn submit(&self, new: NewJob, now: Timestamp) -> Result<SubmitOutcome, Error>;

    /// Applies an event to a job; `core::job` decides what it changes. `runner_output` is stored in the same
    /// transaction. When a job completes that is not the current job of its cache key, `Job::update_current` compares
    /// the two and decides which one is current.
    async fn apply_event(
        &self,
        id: JobId,
        event: Event,
        runner_output: RunnerOutput,
        now: Timestamp,
    ) -> Result<EventOutcome, Error>;

    /// Dispatches the next ready job of these types to a runner: the one with the highest priority, among equals the
    /// one submitted first. `None` when no job is ready.
    async fn dispatch(
        &self,
        types: &[JobType],
        runner: &RunnerId,
        now: Timestamp,
    ) -> Result<Option<LeasedJob>, Error>;

    /// The jobs that wait for runners. Delayed jobs whose time has come become ready in this call.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, Error>;

    /// Applies `Event::Tick` to jobs that are due (`Job::due_at`), at most `at_most`, and returns those that changed.
    /// Heartbeats could not arrive before `listening_since`, so no runner counts as lost until a whole heartbeat
    /// timeout after it.
    async fn sweep(
        &self,
        at_most: usize,
        listening_since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<AppliedEvent>, Error>;

    /// Deletes ended jobs that exceed the retention.
    async fn prune(&self, retention: Retention, now: Timestamp) -> Result<PruneStats, Error>;

    /// Deletes these jobs, whatever their status. Returns the ids of those that existed.
    async fn delete(&self, ids: &[JobId]) -> Result<Vec<JobId>, Error>;

    /// Completed, current jobs of these types whose result was not validated since `before`, the longest not validated
    /// first, at most `at_most`. Changes nothing.
    async fn due_for_validation(
        &self,
        types: &[JobType],
        before: Timestamp,
        at_most: usize,
    ) -> Result<Vec<JobRecord>, Error>;

    /// Stores that a job's result was found valid at `now`.
    async fn mark_validated(&self, id: JobId, now: Timestamp) -> Result<(), Error>;

    /// Total size of the parameters, results and consoles of all jobs, in bytes.
    async fn stored_bytes(&self) -> Result<u64, Error>;
}

/// Writes registered runners. Each method is one transaction.
#[async_trait]
pub trait RunnerStore: Send + Sync + std::fmt::Debug {
    /// Stores a runner; a runner with the same id is replaced.
    async fn register_runner(&self, runner: Runner) -> Result<(), Error>;

    /// Stores that a runner was seen at `now`. Returns whether it is registered.
    async fn touch_runner(&self, runner: &RunnerId, now: Timestamp) -> Result<bool, Error>;

    /// Deletes runners that were last seen before `before` and that no job refers to, the longest unseen first, at most
    /// `at_most`. Returns the number of deleted runners.
    async fn prune_runners(&self, before: Timestamp, at_most: usize) -> Result<u64, Error>;
}

/// The queue of pending webhook calls. Each method is one transaction. Calls are added by [`JobStore`].
#[async_trait]
pub trait WebhookStore: Send + Sync + std::fmt::Debug {
    /// Claims webhook calls that are due: of each job type at most its `capacity`. No other claim returns them until
    /// `lease` has passed since `now`.
    async fn claim_webhooks(
        &self,
        capacity: &[(JobType, usize)],
        lease: std::time::Duration,
        now: Timestamp,
    ) -> Result<Vec<WebhookCall>, Error>;

    /// Deletes a webhook call, because it was delivered or given up.
    async fn ack_webhook(&self, id: WebhookCallId) -> Result<(), Error>;

    /// Counts a failed delivery of a webhook call, and makes it due again at `retry_at`.
    async fn retry_webhook(&self, id: WebhookCallId, retry_at: Timestamp) -> Result<(), Error>;

    /// Deletes webhook calls that were due before `before` and whose job type has no webhook configured
    /// (`Settings::webhook_types`), at most `at_most`. Returns the number of deleted calls.
    async fn drop_webhooks(&self, before: Timestamp, at_most: usize) -> Result<u64, Error>;
}

/// A store: all of these, and what concerns the store as a whole.
#[async_trait]
pub trait Store: ReadStore + JobStore + RunnerStore + WebhookStore {
    /// The current time by the clock of the database server; `None` when the store uses this machine's clock.
    async fn clock(&self) -> Result<Option<Timestamp>, Error>;

    /// Checks the whole store for contradictions. Returns one sentence for each problem; empty when there is none.
    async fn verify_integrity(&self) -> Result<Vec<String>, Error>;

    /// Waits for the next change made by another instance on the same store. Never returns on a store that has no other
    /// instances (SQLite).
    async fn next_notification(&self) -> crate::records::StoreNotification;
}
