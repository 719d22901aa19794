//! Submissions: a submission creates a job, joins an equal job under way, or finds an ended one. A cached result is
//! found without a lock, and a new job is inserted by one statement; only a change of the current job waits for its row
//! lock.

use std::time::Instant;

use pilotlight_core::job::{Admission, Job, QueueFull, Submission, admit};
use pilotlight_core::time::Timestamp;

use super::connection::StoreConnection;
use super::failure::Failure;
use super::jobs::{self, WebhookNeeded};
use super::operation::{Committed, StoreOperation};
use super::payloads::{self, only_if_ended};
use super::tx::PgTx;
use super::usage_cache::UsageCache;
use super::write_statement::owned_params;
use super::{counters, statements};
use crate::job_row::JobRow;
use crate::records::{JobRecord, NewJob, Settings, SubmitOutcome};
use crate::write_plan::WritePlan;

/// See [`crate::JobStore::submit`].
pub(super) struct Submit<'a> {
    pub(super) new: &'a NewJob,
    pub(super) settings: &'a Settings,
    pub(super) usage_cache: &'a UsageCache,
    pub(super) now: Timestamp,
}

impl StoreOperation for Submit<'_> {
    type Output = SubmitOutcome;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<SubmitOutcome>, Failure> {
        if let Some(outcome) = self.find_by_idempotency_key(&connection).await? {
            connection.release();
            return Ok(Committed::without_notifications(outcome));
        }
        let current = payloads::record(&connection.query(statements::FIND_CURRENT, &[&self.key()]).await?)?;
        let admission = self.admit(current.as_ref().map(|current| &current.job));
        match (admission, current) {
            (Admission::Cached, Some(current)) => {
                connection.release();
                Ok(Committed::without_notifications(SubmitOutcome::Existing(only_if_ended(current))))
            }
            (Admission::New { is_current: true }, None) => {
                self.create(PgTx::single_statement(connection), true).await
            }
            _ => self.submit_with_lock(connection).await,
        }
    }
}

impl Submit<'_> {
    fn key(&self) -> &[u8] {
        self.new.key.as_bytes()
    }

    fn admit(&self, current: Option<&Job>) -> Admission {
        admit(current, self.new.cache_mode, &self.new.options, self.now)
    }

    /// The outcome of a repeated `Idempotency-Key`; `None` when the key is new.
    async fn find_by_idempotency_key(
        &self,
        connection: &StoreConnection,
    ) -> Result<Option<SubmitOutcome>, Failure> {
        let Some(idempotency) = self.new.idempotency_key else { return Ok(None) };
        let rows = connection.query(statements::FIND_BY_IDEMPOTENCY, &[&idempotency.0.as_slice()]).await?;
        let record = payloads::record(&rows)?;
        Ok(record.map(|record| {
            if record.job.key == self.new.key {
                SubmitOutcome::Existing(only_if_ended(record))
            } else {
                SubmitOutcome::Conflict
            }
        }))
    }

    async fn submit_with_lock(
        &self,
        connection: StoreConnection,
    ) -> Result<Committed<SubmitOutcome>, Failure> {
        let (mut tx, rows) = PgTx::begin(connection, statements::LOCK_CURRENT, &[&self.key()]).await?;
        let current = jobs::one(&rows)?;
        match (self.admit(current.as_ref().map(|current| &current.job)), current) {
            (Admission::Joined(job), Some(current)) => self.join(tx, &current, *job).await,
            (Admission::Cached, Some(current)) => existing(tx, current).await,
            (Admission::New { is_current }, current) => {
                if let Some(current) = current.filter(|_| is_current) {
                    jobs::clear_current(&mut tx, &current);
                }
                self.create(tx, is_current).await
            }
            (Admission::Joined(_) | Admission::Cached, None) => Err(Failure::conflict()),
        }
    }

    async fn create(&self, mut tx: PgTx, is_current: bool) -> Result<Committed<SubmitOutcome>, Failure> {
        if let Some(full) = self.check_queue_limits(&tx).await? {
            tx.rollback().await?;
            return Ok(Committed::without_notifications(SubmitOutcome::QueueFull(full)));
        }
        let NewJob { id, job_type, key, options, .. } = self.new.clone();
        let job = Job::new(Submission { id, job_type, key, options, is_current }, self.now);
        let has_webhook = self.settings.webhook_types.contains(&job.job_type);
        let webhook = if has_webhook { WebhookNeeded::Yes } else { WebhookNeeded::No };
        jobs::insert(&mut tx, &job, self.new, webhook, self.now);
        Ok(Committed { notifications: tx.commit().await?, value: SubmitOutcome::New(job) })
    }

    /// The limit that forbids another waiting job; `None` when the queue has space.
    async fn check_queue_limits(&self, tx: &PgTx) -> Result<Option<QueueFull>, Failure> {
        let bytes = self.new.input.len() as u64;
        let Err(query) = self.usage_cache.try_reserve(bytes, Instant::now()) else { return Ok(None) };
        let waiting = counters::usage(&tx.query(statements::QUEUE_USAGE, &[]).await?)?;
        Ok(self.usage_cache.update(query, waiting, bytes).err())
    }

    async fn join(
        &self,
        mut tx: PgTx,
        current: &JobRow,
        job: Job,
    ) -> Result<Committed<SubmitOutcome>, Failure> {
        let plan = WritePlan::of_join(current, job, self.now);
        jobs::update(&mut tx, &plan);
        if let Some(idempotency) = self.new.idempotency_key {
            tx.write(statements::SET_IDEMPOTENCY, owned_params![idempotency.0.to_vec(), current.seq]);
        }
        let outcome = SubmitOutcome::Existing(JobRecord { job: plan.job, output: None });
        Ok(Committed { notifications: tx.commit().await?, value: outcome })
    }
}

/// Returns the current job, which ended while its row lock was awaited.
async fn existing(tx: PgTx, current: JobRow) -> Result<Committed<SubmitOutcome>, Failure> {
    let rows = tx.query(statements::JOB_OUTPUT, &[&current.seq]).await?;
    let output = rows.first().map(|row| payloads::output(row, 0)).transpose()?;
    tx.rollback().await?;
    Ok(Committed::without_notifications(SubmitOutcome::Existing(JobRecord { job: current.job, output })))
}
