//! Implements the traits of `store` for PostgreSQL: the connection pool, and the one connection for notifications
//! between instances.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{Event, Job, JobId};
use pilotlight_core::time::Timestamp;
use tokio::task::JoinSet;

use super::address::Address;
use super::apply::ApplyEvent;
use super::connection::Pool;
use super::integrity::VerifyIntegrity;
use super::listener::{self, Listener, NotificationBus};
use super::migrate::migrate;
use super::notifications::{InstanceId, Notifications};
use super::operation::{self, StoreOperation};
use super::prune::{Delete, Prune, ReadStoredBytes};
use super::queries::{JobsOfRunner, ListJobs, ReadCounts, limit};
use super::queue::{Dispatch, ListAvailable, ReadBacklog, type_names};
use super::reads::{FindJob, Lookup, ReadClock, ReadInput};
use super::runners::{FindRunner, ListRunners, PruneRunners, Register, TouchRunner};
use super::submit::Submit;
use super::sweep::Sweep;
use super::usage_cache::UsageCache;
use super::validation::{DueForValidation, MarkValidated};
use super::webhooks::{AckWebhook, ClaimWebhooks, DropWebhooks, RetryWebhook};
use crate::error::Error;
use crate::records::{
    AppliedEvent, Backlog, Counts, EventOutcome, JobFilter, JobRecord, LeasedJob, NewJob, PruneStats,
    Retention, Runner, RunnerOutput, Settings, StoreNotification, SubmitOutcome, WebhookCall, WebhookCallId,
};
use crate::store::{JobStore, ReadStore, RunnerStore, Store, WebhookStore};

/// Connections besides the one for notifications. PostgreSQL's default limit is 100 for all clients together.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// Time limit of an integrity check, which reads all rows.
const INTEGRITY_CHECK_TIMEOUT: Duration = Duration::from_mins(30);

/// A store in a database that several instances use. When a connection breaks during a commit, the change may or may
/// not be stored: [`Error::Unavailable`] says so, and the caller may repeat the request. If the change was stored, a
/// repeated runner event counts as a repetition, a repeated submission joins its own job, and a repeated claim is
/// rejected.
#[derive(Debug)]
pub struct Postgres {
    pool: Pool,
    settings: Settings,
    usage_cache: UsageCache,
    bus: Arc<NotificationBus>,
    /// The task of the notification connection; aborted when the store is dropped.
    _listener: JoinSet<()>,
}

impl Postgres {
    /// Opens the store in the database at this address, `postgres://user:password@host:port/database?sslmode=..`, or
    /// creates an empty one there, in the schema `pilotlight`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database cannot be used, with the reason; [`Error::SchemaTooNew`] when a newer
    /// program has written a schema that this one cannot use. Error texts never contain the user or the password.
    pub async fn open(url: &str, settings: Settings) -> Result<Arc<dyn Store>, Error> {
        Ok(Self::connect(url, settings).await?)
    }

    /// Like [`Postgres::open`], for tests that look inside.
    pub(super) async fn connect(url: &str, settings: Settings) -> Result<Arc<Self>, Error> {
        let address = Address::parse(url)?;
        let pool = Pool::new(&address, CONNECTIONS)?;
        migrate(&pool).await?;
        let bus = Arc::new(NotificationBus::new(InstanceId::new(random_number()?)));
        let listener = Listener::open(&address).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(listener::run(listener, address, Arc::clone(&bus)));
        let usage_cache = UsageCache::new(settings.queue_limits);
        Ok(Arc::new(Self { pool, settings, usage_cache, bus, _listener: tasks }))
    }

    async fn run<V: StoreOperation>(&self, operation: V) -> Result<V::Output, Error> {
        match operation::run(&self.pool, operation).await {
            Ok(committed) => {
                self.bus.outgoing.update(|outgoing| outgoing.merge(committed.notifications));
                Ok(committed.value)
            }
            Err(error) => {
                if V::WRITES {
                    // The change may be committed nevertheless.
                    self.bus.outgoing.update(Notifications::request_resync);
                }
                Err(error)
            }
        }
    }
}

fn random_number() -> Result<u64, Error> {
    getrandom::u64().map_err(|error| {
        Error::Unavailable(format!("failed to get a random number from the operating system: {error}"))
    })
}

#[async_trait]
impl ReadStore for Postgres {
    async fn lookup(&self, key: CacheKey) -> Result<Option<JobRecord>, Error> {
        self.run(Lookup { key }).await
    }

    async fn job(&self, id: JobId) -> Result<Option<JobRecord>, Error> {
        self.run(FindJob { id }).await
    }

    async fn input(&self, id: JobId) -> Result<Option<String>, Error> {
        self.run(ReadInput { id }).await
    }

    async fn available(
        &self,
        types: &[JobType],
        at_most: usize,
        now: Timestamp,
    ) -> Result<Vec<LeasedJob>, Error> {
        self.run(ListAvailable { types: type_names(types), at_most: limit(at_most), now }).await
    }

    async fn jobs(&self, filter: JobFilter, now: Timestamp) -> Result<(Vec<Job>, u64), Error> {
        self.run(ListJobs { filter, now }).await
    }

    async fn jobs_of_runner(&self, runner: &RunnerId, at_most: usize) -> Result<Vec<Job>, Error> {
        self.run(JobsOfRunner { runner, at_most: limit(at_most) }).await
    }

    async fn counts(&self, active_since: Timestamp, now: Timestamp) -> Result<Counts, Error> {
        self.run(ReadCounts { active_since, now }).await
    }

    async fn runner(&self, runner: &RunnerId) -> Result<Option<Runner>, Error> {
        self.run(FindRunner { runner }).await
    }

    async fn runners(&self, at_most: usize) -> Result<(Vec<Runner>, u64), Error> {
        self.run(ListRunners { at_most: limit(at_most) }).await
    }
}

#[async_trait]
impl JobStore for Postgres {
    async fn submit(&self, new: NewJob, now: Timestamp) -> Result<SubmitOutcome, Error> {
        self.run(Submit { new: &new, settings: &self.settings, usage_cache: &self.usage_cache, now }).await
    }

    async fn apply_event(
        &self,
        id: JobId,
        event: Event,
        runner_output: RunnerOutput,
        now: Timestamp,
    ) -> Result<EventOutcome, Error> {
        self.run(ApplyEvent {
            id,
            event: &event,
            runner_output: &runner_output,
            settings: &self.settings,
            now,
        })
        .await
    }

    async fn dispatch(
        &self,
        types: &[JobType],
        runner: &RunnerId,
        now: Timestamp,
    ) -> Result<Option<LeasedJob>, Error> {
        self.run(Dispatch { types: type_names(types), runner, settings: &self.settings, now }).await
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, Error> {
        self.run(ReadBacklog { now }).await
    }

    async fn sweep(
        &self,
        at_most: usize,
        listening_since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<AppliedEvent>, Error> {
        let settings = &self.settings;
        self.run(Sweep { at_most: limit(at_most), settings, listening_since, now }).await
    }

    async fn prune(&self, retention: Retention, now: Timestamp) -> Result<PruneStats, Error> {
        self.run(Prune { retention, now }).await
    }

    async fn delete(&self, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
        self.run(Delete { ids }).await
    }

    async fn due_for_validation(
        &self,
        types: &[JobType],
        before: Timestamp,
        at_most: usize,
    ) -> Result<Vec<JobRecord>, Error> {
        self.run(DueForValidation { types: type_names(types), before, at_most: limit(at_most) }).await
    }

    async fn mark_validated(&self, id: JobId, now: Timestamp) -> Result<(), Error> {
        self.run(MarkValidated { id, now }).await
    }

    async fn stored_bytes(&self) -> Result<u64, Error> {
        self.run(ReadStoredBytes).await
    }
}

#[async_trait]
impl RunnerStore for Postgres {
    async fn register_runner(&self, runner: Runner) -> Result<(), Error> {
        self.run(Register { runner: &runner }).await
    }

    async fn touch_runner(&self, runner: &RunnerId, now: Timestamp) -> Result<bool, Error> {
        self.run(TouchRunner { runner, now }).await
    }

    async fn prune_runners(&self, before: Timestamp, at_most: usize) -> Result<u64, Error> {
        self.run(PruneRunners { before, at_most: limit(at_most) }).await
    }
}

#[async_trait]
impl WebhookStore for Postgres {
    async fn claim_webhooks(
        &self,
        capacity: &[(JobType, usize)],
        lease: Duration,
        now: Timestamp,
    ) -> Result<Vec<WebhookCall>, Error> {
        self.run(ClaimWebhooks { capacity, lease, now }).await
    }

    async fn ack_webhook(&self, id: WebhookCallId) -> Result<(), Error> {
        self.run(AckWebhook { id }).await
    }

    async fn retry_webhook(&self, id: WebhookCallId, retry_at: Timestamp) -> Result<(), Error> {
        self.run(RetryWebhook { id, retry_at }).await
    }

    async fn drop_webhooks(&self, before: Timestamp, at_most: usize) -> Result<u64, Error> {
        self.run(DropWebhooks { settings: &self.settings, before, at_most: limit(at_most) }).await
    }
}

#[async_trait]
impl Store for Postgres {
    async fn clock(&self) -> Result<Option<Timestamp>, Error> {
        self.run(ReadClock).await.map(Some)
    }

    async fn verify_integrity(&self) -> Result<Vec<String>, Error> {
        operation::run_within(&self.pool, VerifyIntegrity, INTEGRITY_CHECK_TIMEOUT)
            .await
            .map(|committed| committed.value)
    }

    async fn next_notification(&self) -> StoreNotification {
        self.bus.received.next().await
    }
}
