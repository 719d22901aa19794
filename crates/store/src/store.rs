//! What a store can be asked. Two kinds of it stand beside this file; one suite of tests holds both to these words.

use async_trait::async_trait;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{Event, Job, JobId, Transition};
use pilotlight_core::time::Timestamp;

use crate::error::Error;
use crate::records::{
    Backlog, Counts, EventOutcome, JobFilter, JobRecord, LeasedJob, NewJob, PruneStats, Retention, Runner,
    RunnerOutput, SubmitOutcome, WebhookCall, WebhookCallId,
};

/// A store. Every verb is one transaction: it has happened when it returns, or it has not.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The time by the store's own clock; `None` when it goes by that of this machine.
    async fn clock(&self) -> Result<Option<Timestamp>, Error>;

    /// Takes a submission: new, or one more caller of its twin. `core::job::admit` decides. An `Idempotency-Key` that
    /// was seen before decides first: the job that it stands for is known, with no further caller. A new job needs room:
    /// `core::job::QueueLimits` says whether there is.
    async fn submit(&self, new: NewJob, now: Timestamp) -> Result<SubmitOutcome, Error>;

    /// The current job of a key, with its end if it has one. Changes nothing.
    async fn lookup(&self, key: CacheKey) -> Result<Option<JobRecord>, Error>;

    /// A job, with its console so far and its end. While it is pending again, the console is its last try's.
    async fn job(&self, id: JobId) -> Result<Option<JobRecord>, Error>;

    /// A job's parameters.
    async fn input(&self, id: JobId) -> Result<Option<String>, Error>;

    /// Says something about a job; `core::job` decides what it changes. What the payload brings is kept with it. A job
    /// that completes and is not the current one of its key is held against that one (`Job::update_current`).
    async fn apply_event(
        &self,
        id: JobId,
        event: Event,
        runner_output: RunnerOutput,
        now: Timestamp,
    ) -> Result<EventOutcome, Error>;

    /// Dispatches the next ready job of these types to a runner: the highest priority, then the first submitted.
    async fn dispatch(
        &self,
        types: &[JobType],
        runner: &RunnerId,
        now: Timestamp,
    ) -> Result<Option<LeasedJob>, Error>;

    /// The ready jobs of these types in the order they were submitted, at most so many. Changes nothing.
    async fn available(
        &self,
        types: &[JobType],
        at_most: usize,
        now: Timestamp,
    ) -> Result<Vec<LeasedJob>, Error>;

    /// What waits for runners. Delayed jobs whose time has come are ready from here on.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, Error>;

    /// Tells jobs that are due (`Job::due_at`) that time has passed, at most so many, and returns those that changed.
    /// Nobody could be heard before `listening_since`, so no runner counts as silent until a whole heartbeat's
    /// time-out after it.
    async fn sweep(
        &self,
        at_most: usize,
        listening_since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<(Job, Transition)>, Error>;

    /// Forgets ended jobs as retention says.
    async fn prune(&self, retention: Retention, now: Timestamp) -> Result<PruneStats, Error>;

    /// Completed jobs of these types that equal submissions find and that were not checked since `before`, the longest
    /// unchecked first, at most so many. Changes nothing.
    async fn due_for_validation(
        &self,
        types: &[JobType],
        before: Timestamp,
        at_most: usize,
    ) -> Result<Vec<JobRecord>, Error>;

    /// Remembers that a job's result was found valid at `now`.
    async fn mark_validated(&self, id: JobId, now: Timestamp) -> Result<(), Error>;

    /// Jobs, the newest first, and how many there are of that status. The status is as of `now`.
    async fn jobs(&self, filter: JobFilter, now: Timestamp) -> Result<(Vec<Job>, u64), Error>;

    /// Forgets these jobs, whatever they are about. Returns those that were there.
    async fn delete(&self, ids: &[JobId]) -> Result<Vec<JobId>, Error>;

    /// How many jobs and runners there are. Runners seen after `active_since` are active.
    async fn counts(&self, active_since: Timestamp, now: Timestamp) -> Result<Counts, Error>;

    /// Remembers a runner; one of the same identity is replaced.
    async fn register_runner(&self, runner: Runner) -> Result<(), Error>;

    /// Remembers that a runner was heard of. Says whether it is registered.
    async fn touch_runner(&self, runner: &RunnerId, now: Timestamp) -> Result<bool, Error>;

    /// A runner.
    async fn runner(&self, runner: &RunnerId) -> Result<Option<Runner>, Error>;

    /// Runners, the last seen first, at most so many, and how many there are.
    async fn runners(&self, at_most: usize) -> Result<(Vec<Runner>, u64), Error>;

    /// Forgets runners that were last seen before `before` and that no job names, the longest unseen first, at most so
    /// many. Returns how many.
    async fn prune_runners(&self, before: Timestamp, at_most: usize) -> Result<u64, Error>;

    /// The last jobs that a runner has or had, the newest first, at most so many.
    async fn jobs_of_runner(&self, runner: &RunnerId, at_most: usize) -> Result<Vec<Job>, Error>;

    /// Tellings of these types whose time has come, of each type at most so many. They are nobody else's for `lease`
    /// from now on.
    async fn claim_webhooks(
        &self,
        capacity: &[(JobType, usize)],
        lease: std::time::Duration,
        now: Timestamp,
    ) -> Result<Vec<WebhookCall>, Error>;

    /// A telling was heard, or given up.
    async fn ack_webhook(&self, id: WebhookCallId) -> Result<(), Error>;

    /// A telling failed; it is tried again at that time.
    async fn retry_webhook(&self, id: WebhookCallId, again_at: Timestamp) -> Result<(), Error>;

    /// Forgets tellings of types of which nobody is told (`Settings::webhook_types`) that were due before `before`, at most so
    /// many. Returns how many.
    async fn drop_webhooks(&self, before: Timestamp, at_most: usize) -> Result<u64, Error>;

    /// Bytes of parameters, results and consoles of all jobs.
    async fn stored_bytes(&self) -> Result<u64, Error>;

    /// Looks through all of it. The sentences say what is wrong; none, and it is sound.
    async fn verify_integrity(&self) -> Result<Vec<String>, Error>;

    /// What other instances on the same store did; pending for ever where there are none.
    async fn next_notification(&self) -> crate::records::StoreNotification;
}
