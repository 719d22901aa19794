//! PostgreSQL as a [`Store`]: its connections, and the one on which instances hear of each other.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{Event, Job, JobId, Transition};
use pilotlight_core::time::Timestamp;
use tokio::task::JoinSet;

use super::address::Address;
use super::check::Check;
use super::hooks::{DropHooks, HookCalls, HookDone, HookFailed};
use super::line::{self, Line, News};
use super::link::Pool;
use super::lists::{Count, Jobs, JobsOf, limit};
use super::look::{FindJob, Input, LookAtClock, Lookup};
use super::migrate::migrate;
use super::prune::{Delete, Prune, SumOfBytes};
use super::ready::{Available, Dispatch, LookAtBacklog, names};
use super::room::Known;
use super::runners::{FindRunner, ForgetRunners, Register, Runners, Seen};
use super::say::Say;
use super::submit::Submit;
use super::sweep::Sweep;
use super::tidings::{Speaker, Tidings};
use super::unchecked::{Checked, Unchecked};
use super::verb::{self, Verb};
use crate::error::Error;
use crate::records::{
    Backlog, Counts, EventOutcome, JobFilter, JobRecord, LeasedJob, NewJob, PruneStats, Retention, Runner,
    RunnerOutput, Settings, StoreNotification, SubmitOutcome, WebhookCall, WebhookCallId,
};
use crate::store::Store;

/// Connections besides the one that hears. PostgreSQL allows 100 to all, if nobody says otherwise.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(16).expect("it is not zero");

/// Looking through everything takes its time.
const CHECK_WITHIN: Duration = Duration::from_mins(30);

/// A store in a database that several instances use. What an instance was not told of its last verb, because its
/// connection broke, may have come about or not: [`Error::Unavailable`] says so, and it may be said again. A word of a
/// runner that was taken is then taken as a repetition, a submission joins itself, a claim is refused to who has it.
#[derive(Debug)]
pub struct Postgres {
    pool: Pool,
    settings: Settings,
    room: Known,
    news: Arc<News>,
    /// Ends with the store.
    _line: JoinSet<()>,
}

impl Postgres {
    /// Opens the store in the database at this address, `postgres://user:password@host:port/database?sslmode=..`, or
    /// makes an empty one there, in a schema of its own.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be reached, and says why; [`Error::SchemaTooNew`] when a newer program has
    /// written it and left nothing that this one understands. Neither shows the user or the password.
    pub async fn open(url: &str, settings: Settings) -> Result<Arc<Self>, Error> {
        let address = Address::parse(url)?;
        let pool = Pool::new(&address, CONNECTIONS)?;
        migrate(&pool).await?;
        let news = Arc::new(News::new(Speaker::new(random()?)));
        let first = Line::open(&address).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(line::keep(first, address, Arc::clone(&news)));
        let room = Known::new(settings.queue_limits);
        Ok(Arc::new(Self { pool, settings, room, news, _line: tasks }))
    }

    async fn perform<V: Verb>(&self, verb: V) -> Result<V::Output, Error> {
        match verb::perform(&self.pool, verb).await {
            Ok(done) => {
                self.news.to_say.put(|to_say| to_say.add(done.tidings));
                Ok(done.answer)
            }
            Err(error) => {
                if V::WRITES {
                    // It may have come about nevertheless.
                    self.news.to_say.put(Tidings::anything);
                }
                Err(error)
            }
        }
    }
}

fn random() -> Result<u64, Error> {
    getrandom::u64().map_err(|error| Error::Unavailable(format!("there is no randomness: {error}")))
}

#[async_trait]
impl Store for Postgres {
    async fn clock(&self) -> Result<Option<Timestamp>, Error> {
        self.perform(LookAtClock).await.map(Some)
    }

    async fn submit(&self, new: NewJob, now: Timestamp) -> Result<SubmitOutcome, Error> {
        self.perform(Submit { new: &new, settings: &self.settings, room: &self.room, now }).await
    }

    async fn lookup(&self, key: CacheKey) -> Result<Option<JobRecord>, Error> {
        self.perform(Lookup { key }).await
    }

    async fn job(&self, id: JobId) -> Result<Option<JobRecord>, Error> {
        self.perform(FindJob { id }).await
    }

    async fn input(&self, id: JobId) -> Result<Option<String>, Error> {
        self.perform(Input { id }).await
    }

    async fn apply_event(
        &self,
        id: JobId,
        event: Event,
        payload: RunnerOutput,
        now: Timestamp,
    ) -> Result<EventOutcome, Error> {
        self.perform(Say { id, event: &event, payload: &payload, settings: &self.settings, now }).await
    }

    async fn dispatch(
        &self,
        types: &[JobType],
        runner: &RunnerId,
        now: Timestamp,
    ) -> Result<Option<LeasedJob>, Error> {
        self.perform(Dispatch { types: names(types), runner, settings: &self.settings, now }).await
    }

    async fn available(
        &self,
        types: &[JobType],
        at_most: usize,
        now: Timestamp,
    ) -> Result<Vec<LeasedJob>, Error> {
        self.perform(Available { types: names(types), at_most: limit(at_most), now }).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, Error> {
        self.perform(LookAtBacklog { now }).await
    }

    async fn sweep(
        &self,
        at_most: usize,
        listening_since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<(Job, Transition)>, Error> {
        let settings = &self.settings;
        self.perform(Sweep { at_most: limit(at_most), settings, listening_since, now }).await
    }

    async fn prune(&self, retention: Retention, now: Timestamp) -> Result<PruneStats, Error> {
        self.perform(Prune { retention, now }).await
    }

    async fn due_for_validation(
        &self,
        types: &[JobType],
        before: Timestamp,
        at_most: usize,
    ) -> Result<Vec<JobRecord>, Error> {
        self.perform(Unchecked { types: names(types), before, at_most: limit(at_most) }).await
    }

    async fn mark_validated(&self, id: JobId, now: Timestamp) -> Result<(), Error> {
        self.perform(Checked { id, now }).await
    }

    async fn jobs(&self, wanted: JobFilter, now: Timestamp) -> Result<(Vec<Job>, u64), Error> {
        self.perform(Jobs { wanted, now }).await
    }

    async fn delete(&self, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
        self.perform(Delete { ids }).await
    }

    async fn counts(&self, active_since: Timestamp, now: Timestamp) -> Result<Counts, Error> {
        self.perform(Count { active_since, now }).await
    }

    async fn register_runner(&self, runner: Runner) -> Result<(), Error> {
        self.perform(Register { runner: &runner }).await
    }

    async fn touch_runner(&self, runner: &RunnerId, now: Timestamp) -> Result<bool, Error> {
        self.perform(Seen { runner, now }).await
    }

    async fn runner(&self, runner: &RunnerId) -> Result<Option<Runner>, Error> {
        self.perform(FindRunner { runner }).await
    }

    async fn runners(&self, at_most: usize) -> Result<(Vec<Runner>, u64), Error> {
        self.perform(Runners { at_most: limit(at_most) }).await
    }

    async fn prune_runners(&self, before: Timestamp, at_most: usize) -> Result<u64, Error> {
        self.perform(ForgetRunners { before, at_most: limit(at_most) }).await
    }

    async fn jobs_of_runner(&self, runner: &RunnerId, at_most: usize) -> Result<Vec<Job>, Error> {
        self.perform(JobsOf { runner, at_most: limit(at_most) }).await
    }

    async fn claim_webhooks(
        &self,
        room: &[(JobType, usize)],
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<WebhookCall>, Error> {
        self.perform(HookCalls { room, lease, now }).await
    }

    async fn ack_webhook(&self, id: WebhookCallId) -> Result<(), Error> {
        self.perform(HookDone { id }).await
    }

    async fn retry_webhook(&self, id: WebhookCallId, again_at: Timestamp) -> Result<(), Error> {
        self.perform(HookFailed { id, again_at }).await
    }

    async fn drop_webhooks(&self, before: Timestamp, at_most: usize) -> Result<u64, Error> {
        self.perform(DropHooks { settings: &self.settings, before, at_most: limit(at_most) }).await
    }

    async fn stored_bytes(&self) -> Result<u64, Error> {
        self.perform(SumOfBytes).await
    }

    async fn verify_integrity(&self) -> Result<Vec<String>, Error> {
        verb::perform_within(&self.pool, Check, CHECK_WITHIN).await.map(|done| done.answer)
    }

    async fn next_notification(&self) -> StoreNotification {
        self.news.heard.next().await
    }
}
