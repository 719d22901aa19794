//! Implements the traits of `store` for the embedded store: which operation writes, which one reads, and on which
//! connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{Event, Job, JobId};
use pilotlight_core::time::Timestamp;
use rusqlite::Connection;
use tokio::task::spawn_blocking;

use super::checkpoint::Checkpointer;
use super::open::{self, Lock};
use super::readers::Readers;
use super::writer::Writer;
use super::{
    apply, counters, integrity, payloads, prune, queries, queue, runners, submit, sweep, validation, webhooks,
};
use crate::error::Error;
use crate::records::{
    AppliedEvent, Backlog, Counts, EventOutcome, JobFilter, JobRecord, LeasedJob, NewJob, PruneStats,
    Retention, Runner, RunnerOutput, Settings, StoreNotification, SubmitOutcome, WebhookCall, WebhookCallId,
};
use crate::store::{JobStore, ReadStore, RunnerStore, Store, WebhookStore};

/// Connections for short reads: about as many as threads read at the same time on most machines.
const SHORT_READERS: usize = 4;

/// Connections for long reads; more of them would only slow each other down.
const LONG_READERS: usize = 2;

/// A store in a folder of this machine. Several processes may have it open, during a handover from one to the next;
/// they do not notify each other of changes. Dropping it blocks until all submitted operations are committed.
#[derive(Debug)]
pub struct Sqlite {
    writer: Writer,
    short: Readers,
    long: Arc<Readers>,
    folder: PathBuf,
}

impl Sqlite {
    /// Opens the store in this folder, or creates an empty one.
    ///
    /// # Errors
    /// [`Error::InUse`] while a backup is being restored, [`Error::SchemaTooNew`] when a newer program has written the
    /// store, [`Error::ReadOnly`] or [`Error::DiskFull`] when the folder cannot be written.
    pub fn open(folder: &Path, settings: Settings) -> Result<Arc<dyn Store>, Error> {
        let lock = Lock::shared(folder)?;
        let db = open::writer(folder)?;
        Ok(Arc::new(Self {
            short: Readers::open(folder, SHORT_READERS)?,
            long: Arc::new(Readers::open(folder, LONG_READERS)?),
            writer: Writer::start(db, Checkpointer::start(open::checkpointer(folder)?)?, settings, lock)?,
            folder: folder.to_owned(),
        }))
    }

    async fn read_long<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let long = Arc::clone(&self.long);
        run_blocking(move || long.read_snapshot(read)).await
    }
}

/// Runs blocking work on a thread of its own.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(Error::Unavailable(error.to_string())))
}

#[async_trait]
impl ReadStore for Sqlite {
    async fn lookup(&self, key: CacheKey) -> Result<Option<JobRecord>, Error> {
        self.short.read(|db| submit::lookup(db, key))
    }

    async fn job(&self, id: JobId) -> Result<Option<JobRecord>, Error> {
        self.short.read(|db| submit::job(db, id))
    }

    async fn input(&self, id: JobId) -> Result<Option<String>, Error> {
        self.short.read(|db| payloads::input(db, id))
    }

    async fn available(
        &self,
        types: &[JobType],
        at_most: usize,
        now: Timestamp,
    ) -> Result<Vec<LeasedJob>, Error> {
        let types = types.to_vec();
        self.read_long(move |db| queue::available(db, &types, at_most, now)).await
    }

    async fn jobs(&self, filter: JobFilter, now: Timestamp) -> Result<(Vec<Job>, u64), Error> {
        self.read_long(move |db| queries::jobs(db, filter, now)).await
    }

    async fn jobs_of_runner(&self, runner: &RunnerId, at_most: usize) -> Result<Vec<Job>, Error> {
        let runner = runner.clone();
        self.read_long(move |db| queries::jobs_of_runner(db, &runner, at_most)).await
    }

    async fn counts(&self, active_since: Timestamp, now: Timestamp) -> Result<Counts, Error> {
        self.read_long(move |db| queries::counts(db, active_since, now)).await
    }

    async fn runner(&self, runner: &RunnerId) -> Result<Option<Runner>, Error> {
        self.short.read(|db| runners::runner(db, runner))
    }

    async fn runners(&self, at_most: usize) -> Result<(Vec<Runner>, u64), Error> {
        self.read_long(move |db| runners::runners(db, at_most)).await
    }
}

#[async_trait]
impl JobStore for Sqlite {
    async fn submit(&self, new: NewJob, now: Timestamp) -> Result<SubmitOutcome, Error> {
        self.writer.write(move |tx| submit::submit(tx, new, now)).await
    }

    async fn apply_event(
        &self,
        id: JobId,
        event: Event,
        runner_output: RunnerOutput,
        now: Timestamp,
    ) -> Result<EventOutcome, Error> {
        self.writer.write(move |tx| apply::apply_event(tx, id, &event, &runner_output, now)).await
    }

    async fn dispatch(
        &self,
        types: &[JobType],
        runner: &RunnerId,
        now: Timestamp,
    ) -> Result<Option<LeasedJob>, Error> {
        let (types, runner) = (types.to_vec(), runner.clone());
        self.writer.write(move |tx| queue::dispatch(tx, &types, &runner, now)).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, Error> {
        if self.short.read(|db| queue::is_overdue(db, now))? {
            self.writer.write(move |tx| queue::promote(tx, now)).await?;
        }
        self.short.read_snapshot(queue::backlog)
    }

    async fn sweep(
        &self,
        at_most: usize,
        listening_since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<AppliedEvent>, Error> {
        self.writer.write(move |tx| sweep::sweep(tx, at_most, listening_since, now)).await
    }

    async fn prune(&self, retention: Retention, now: Timestamp) -> Result<PruneStats, Error> {
        self.writer.write(move |tx| prune::prune(tx, retention, now)).await
    }

    async fn delete(&self, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
        let ids = ids.to_vec();
        self.writer.write(move |tx| prune::delete(tx, &ids)).await
    }

    async fn due_for_validation(
        &self,
        types: &[JobType],
        before: Timestamp,
        at_most: usize,
    ) -> Result<Vec<JobRecord>, Error> {
        let types = types.to_vec();
        self.read_long(move |db| validation::due_for_validation(db, &types, before, at_most)).await
    }

    async fn mark_validated(&self, id: JobId, now: Timestamp) -> Result<(), Error> {
        self.writer.write(move |tx| validation::mark_validated(tx, id, now)).await
    }

    async fn stored_bytes(&self) -> Result<u64, Error> {
        let sums = self.short.read(counters::sums)?;
        crate::columns::number(sums.bytes(), "bytes")
    }
}

#[async_trait]
impl RunnerStore for Sqlite {
    async fn register_runner(&self, runner: Runner) -> Result<(), Error> {
        self.writer.write(move |tx| runners::register(tx, &runner)).await
    }

    async fn touch_runner(&self, runner: &RunnerId, now: Timestamp) -> Result<bool, Error> {
        let runner = runner.clone();
        self.writer.write(move |tx| runners::touch_runner(tx, &runner, now)).await
    }

    async fn prune_runners(&self, before: Timestamp, at_most: usize) -> Result<u64, Error> {
        self.writer.write(move |tx| runners::prune_runners(tx, before, at_most)).await
    }
}

#[async_trait]
impl WebhookStore for Sqlite {
    async fn claim_webhooks(
        &self,
        capacity: &[(JobType, usize)],
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<WebhookCall>, Error> {
        let capacity = capacity.to_vec();
        self.writer.write(move |tx| webhooks::claim_webhooks(tx, &capacity, lease, now)).await
    }

    async fn ack_webhook(&self, id: WebhookCallId) -> Result<(), Error> {
        self.writer.write(move |tx| webhooks::ack_webhook(tx, id)).await
    }

    async fn retry_webhook(&self, id: WebhookCallId, retry_at: Timestamp) -> Result<(), Error> {
        self.writer.write(move |tx| webhooks::retry_webhook(tx, id, retry_at)).await
    }

    async fn drop_webhooks(&self, before: Timestamp, at_most: usize) -> Result<u64, Error> {
        self.writer.write(move |tx| webhooks::drop_webhooks(tx, before, at_most)).await
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn clock(&self) -> Result<Option<Timestamp>, Error> {
        Ok(None)
    }

    async fn verify_integrity(&self) -> Result<Vec<String>, Error> {
        let folder = self.folder.clone();
        run_blocking(move || integrity::verify_integrity(&open::reader(&folder)?)).await
    }

    async fn next_notification(&self) -> StoreNotification {
        // Another process has the store open only during a handover; its changes are found by periodic reads.
        std::future::pending().await
    }
}
