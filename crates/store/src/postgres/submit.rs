//! A submission, and what equal ones find. A known result is found without a lock, and a new job is made by one
//! statement; only what changes a twin waits for its row.

use std::time::Instant;

use pilotlight_core::job::{Admission, Job, QueueFull, Submission, admit};
use pilotlight_core::time::Timestamp;

use super::failure::Failure;
use super::jobs::{self, Hooked};
use super::link::Link;
use super::payloads::{self, ended};
use super::room::Known;
use super::tx::{Tx, given};
use super::verb::{Done, Verb};
use super::{statements, tally};
use crate::records::{JobRecord, NewJob, Settings, SubmitOutcome};
use crate::stored::Stored;

/// See [`crate::Store::submit`].
pub(super) struct Submit<'a> {
    pub(super) new: &'a NewJob,
    pub(super) settings: &'a Settings,
    pub(super) room: &'a Known,
    pub(super) now: Timestamp,
}

impl Verb for Submit<'_> {
    type Output = SubmitOutcome;

    async fn run(&self, link: Link) -> Result<Done<SubmitOutcome>, Failure> {
        if let Some(known) = self.known_by_idempotency(&link).await? {
            link.done();
            return Ok(Done::nothing_new(known));
        }
        let twin = payloads::found(&link.ask(statements::FIND_CURRENT, &[&self.key()]).await?)?;
        let admitted = self.admit(twin.as_ref().map(|twin| &twin.job));
        match (admitted, twin) {
            (Admission::Cached, Some(twin)) => {
                link.done();
                Ok(Done::nothing_new(SubmitOutcome::Existing(ended(twin))))
            }
            (Admission::New { is_current: true }, None) => self.create(Tx::alone(link), true).await,
            _ => self.beside_a_twin(link).await,
        }
    }
}

impl Submit<'_> {
    fn key(&self) -> &[u8] {
        self.new.key.as_bytes()
    }

    fn admit(&self, twin: Option<&Job>) -> Admission {
        admit(twin, self.new.cache_mode, &self.new.options, self.now)
    }

    /// What this caller's key stands for, if it was seen before.
    async fn known_by_idempotency(&self, link: &Link) -> Result<Option<SubmitOutcome>, Failure> {
        let Some(idempotency) = self.new.idempotency_key else { return Ok(None) };
        let rows = link.ask(statements::FIND_BY_IDEMPOTENCY, &[&idempotency.0.as_slice()]).await?;
        let found = payloads::found(&rows)?;
        Ok(found.map(|found| {
            if found.job.key == self.new.key {
                SubmitOutcome::Existing(ended(found))
            } else {
                SubmitOutcome::Conflict
            }
        }))
    }

    async fn beside_a_twin(&self, link: Link) -> Result<Done<SubmitOutcome>, Failure> {
        let (mut tx, rows) = Tx::begin(link, statements::LOCK_CURRENT, &[&self.key()]).await?;
        let twin = jobs::one(&rows)?;
        match (self.admit(twin.as_ref().map(|twin| &twin.job)), twin) {
            (Admission::Joined(job), Some(twin)) => self.join(tx, &twin, *job).await,
            (Admission::Cached, Some(twin)) => known(tx, twin).await,
            (Admission::New { is_current }, twin) => {
                if let Some(twin) = twin.filter(|_| is_current) {
                    jobs::step_down(&mut tx, &twin);
                }
                self.create(tx, is_current).await
            }
            (Admission::Joined(_) | Admission::Cached, None) => Err(Failure::overtaken()),
        }
    }

    async fn create(&self, mut tx: Tx, is_current: bool) -> Result<Done<SubmitOutcome>, Failure> {
        if let Some(full) = self.full(&tx).await? {
            tx.leave().await?;
            return Ok(Done::nothing_new(SubmitOutcome::QueueFull(full)));
        }
        let NewJob { id, job_type, key, options, .. } = self.new.clone();
        let job = Job::new(Submission { id, job_type, key, options, is_current }, self.now);
        let is_hooked = self.settings.webhook_types.contains(&job.job_type);
        let hooked = if is_hooked { Hooked::Yes } else { Hooked::No };
        jobs::insert(&mut tx, &job, self.new, hooked, self.now);
        Ok(Done { tidings: tx.end().await?, answer: SubmitOutcome::New(job) })
    }

    /// Why another job may not wait, if it may not.
    async fn full(&self, tx: &Tx) -> Result<Option<QueueFull>, Failure> {
        let bytes = self.new.input.len() as u64;
        let Err(asked) = self.room.take(bytes, Instant::now()) else { return Ok(None) };
        let waiting = tally::waiting(&tx.ask(statements::WAITING, &[]).await?)?;
        Ok(self.room.learn(asked, waiting, bytes).err())
    }

    async fn join(&self, mut tx: Tx, twin: &Stored, job: Job) -> Result<Done<SubmitOutcome>, Failure> {
        jobs::update(&mut tx, twin, &job, twin.bytes, self.now);
        if let Some(idempotency) = self.new.idempotency_key {
            tx.write(statements::SET_IDEMPOTENCY, given![idempotency.0.to_vec(), twin.seq]);
        }
        let known = SubmitOutcome::Existing(JobRecord { job, output: None });
        Ok(Done { tidings: tx.end().await?, answer: known })
    }
}

/// The twin ended while its row was waited for.
async fn known(tx: Tx, twin: Stored) -> Result<Done<SubmitOutcome>, Failure> {
    let rows = tx.ask(statements::END, &[&twin.seq]).await?;
    let end = rows.first().map(|row| payloads::end(row, 0)).transpose()?;
    tx.leave().await?;
    Ok(Done::nothing_new(SubmitOutcome::Existing(JobRecord { job: twin.job, output: end })))
}
