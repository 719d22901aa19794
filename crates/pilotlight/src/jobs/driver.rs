//! Asks the store and tells those who wait. It decides nothing about a job: `core` does, within the store's
//! transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pilotlight_core::ids::RunnerId;
use pilotlight_core::job::{Admitted, Event, Freshness, JobId, admit};
use pilotlight_core::time::Epoch;
use pilotlight_store::{Error, Found, NewJob, Payload, Runner, Said, Store, Submitted};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::watch::Watch;
use crate::clock::Clock;

/// How often it is remembered who was heard of.
const SEEN_EVERY: Duration = Duration::from_secs(1);

/// The handle.
#[derive(Debug)]
pub struct Jobs {
    store: Arc<dyn Store>,
    clock: Clock,
    changes: watch::Sender<u64>,
    heard: Mutex<HashMap<RunnerId, Epoch>>,
    stopping: CancellationToken,
}

impl Jobs {
    /// The jobs in this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Clock) -> Arc<Self> {
        let (heard, stopping) = (Mutex::default(), CancellationToken::new());
        Arc::new(Self { store, clock, changes: watch::Sender::new(0), heard, stopping })
    }

    /// The wall clock.
    #[must_use]
    pub fn now(&self) -> Epoch {
        Epoch::from_millis(self.clock.epoch_ms(self.clock.now()))
    }

    /// The store, to read only.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// A name for a job that is about to be submitted.
    #[must_use]
    pub fn new_id(&self) -> JobId {
        let mut random = [0; 10];
        fill(&mut random);
        JobId::new(self.now(), random)
    }

    /// Takes a submission. A known end needs no writer.
    ///
    /// # Errors
    /// The store's.
    pub async fn submit(&self, new: NewJob) -> Result<Submitted, Error> {
        if new.freshness == Freshness::Any
            && new.idempotency.is_none()
            && let Some(found) = self.store.lookup(new.key).await?
            && admit(Some(&found.job), new.freshness, &new.options, self.now()) == Admitted::Known
        {
            return Ok(Submitted::Known(found));
        }
        let submitted = self.store.submit(new, self.now()).await?;
        self.tell();
        Ok(submitted)
    }

    /// Says something about a job.
    ///
    /// # Errors
    /// The store's.
    pub async fn say(&self, id: JobId, event: Event, payload: Payload) -> Result<Said, Error> {
        let said = self.store.say(id, event, payload, self.now()).await?;
        self.tell();
        Ok(said)
    }

    /// Forgets jobs; returns those that were there.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
        let deleted = self.store.delete(ids).await?;
        self.tell();
        Ok(deleted)
    }

    /// Registers a runner.
    ///
    /// # Errors
    /// The store's.
    pub async fn register(&self, name: String, capabilities: Vec<String>) -> Result<Runner, Error> {
        let now = self.now();
        let runner = Runner { id: runner_id(), name, capabilities, registered_at: now, seen_at: now };
        self.store.register(runner.clone()).await?;
        Ok(runner)
    }

    /// A runner was heard of. It is remembered within a second.
    pub fn heard(&self, runner: &RunnerId) {
        let now = self.now();
        self.runners().insert(runner.clone(), now);
    }

    /// A job once it has ended, or as it is when the time is over or the service stops; `None` when there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn ended(&self, id: JobId, within: Duration) -> Result<Option<Found>, Error> {
        let until = Instant::now() + within;
        let mut watch = self.watch(id);
        loop {
            let found = self.store.job(id).await?;
            if found.as_ref().is_none_or(|found| found.job.has_ended())
                || self.is_stopping()
                || timeout_at(until, watch.changed()).await.is_err()
            {
                return Ok(found);
            }
        }
    }

    /// Waits for changes of a job from now on.
    #[must_use]
    pub fn watch(&self, _id: JobId) -> Watch {
        Watch::new(self.changes.subscribe())
    }

    /// Nobody is kept waiting any more.
    pub fn stop(&self) {
        self.stopping.cancel();
        self.tell();
    }

    /// Whether the service stops.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Remembers who was heard of, until dropped.
    pub async fn keep(self: Arc<Self>) {
        loop {
            sleep(SEEN_EVERY).await;
            let heard = std::mem::take(&mut *self.runners());
            for (runner, at) in heard {
                // The next call of that runner says it again.
                _ = self.store.seen(&runner, at).await;
            }
        }
    }

    fn tell(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    fn runners(&self) -> MutexGuard<'_, HashMap<RunnerId, Epoch>> {
        self.heard.lock().expect("nothing panics under this lock")
    }
}

/// A UUID of version 4.
fn runner_id() -> RunnerId {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    bytes[6] = 0x40 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    let text = JobId::from_bytes(bytes).to_string();
    RunnerId::parse(&text).expect("36 characters are within the cap")
}

fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has randomness");
}
