//! One store read shared by all SSE subscribers of a job. A read's result stays in memory until every subscriber has
//! taken it or one of them reads again. A job without subscribers has no entry.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use pilotlight_core::job::JobId;
use pilotlight_store::{Error, JobRecord, Store};
use tokio::sync::Mutex as AsyncMutex;

use crate::jobs::notifier::JobWatch;

/// A job as of one store read.
#[derive(Debug)]
pub(crate) struct JobView {
    /// The job.
    pub record: JobRecord,
    /// Grows each time the console text does not start with the previous text. While the number is the same, text was
    /// only appended.
    pub console_version: u64,
}

/// One subscriber of a job.
#[derive(Debug)]
pub(crate) struct JobSubscription {
    subscriptions: Arc<JobSubscriptions>,
    store: Arc<dyn Store>,
    id: JobId,
    watch: JobWatch,
    shared: Arc<SharedReads>,
    /// Only reads with a higher number are new for this subscriber.
    last_read: u64,
}

/// The shared reads of all jobs with subscribers.
#[derive(Debug, Default)]
pub(super) struct JobSubscriptions {
    jobs: Mutex<HashMap<JobId, Arc<SharedReads>>>,
}

/// The state that the subscribers of one job share.
#[derive(Debug, Default)]
struct SharedReads {
    /// How many reads have started; the number of the latest.
    reads_started: AtomicU64,
    /// Locked during a read: one subscriber reads, the others wait for its result.
    last: AsyncMutex<LastRead>,
}

/// The last read, and its result while subscribers have yet to take it.
#[derive(Debug, Default)]
struct LastRead {
    number: u64,
    /// The job's revision when the read started.
    revision: u64,
    view: Option<Arc<JobView>>,
    /// The read failed. Subscribers that waited for it get the error at once, instead of waiting as long for a read
    /// of their own.
    has_failed: bool,
    /// How many other subscribers may still take the result.
    pending_readers: usize,
    console: ConsoleVersion,
}

/// Length and hash of the console text that was read last, and its version.
#[derive(Debug, Default)]
struct ConsoleVersion {
    bytes: usize,
    hash: u64,
    number: u64,
}

impl JobSubscriptions {
    /// Subscribes to a job that `watch` watches already: later changes are not missed.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        store: Arc<dyn Store>,
        id: JobId,
        watch: JobWatch,
    ) -> JobSubscription {
        let shared = Arc::clone(self.jobs().entry(id).or_default());
        let last_read = shared.reads_started.load(Relaxed);
        JobSubscription { subscriptions: Arc::clone(self), store, id, watch, shared, last_read }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Arc<SharedReads>>> {
        self.jobs.lock().expect("nothing panics under this lock")
    }
}

impl JobSubscription {
    /// Waits until something of the job may have changed.
    pub(crate) async fn changed(&mut self) {
        self.watch.changed().await;
    }

    /// The job as it is now, from a shared read if one is recent enough; `None` when it does not exist.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn read(&mut self) -> Result<Option<Arc<JobView>>, Error> {
        let store = Arc::clone(&self.store);
        self.read_with(store.job(self.id)).await
    }

    async fn read_with(
        &mut self,
        read: impl Future<Output = Result<Option<JobRecord>, Error>>,
    ) -> Result<Option<Arc<JobView>>, Error> {
        let mut last = self.shared.last.lock().await;
        let revision = self.watch.revision();
        let is_new = last.number > self.last_read && last.revision == revision;
        if is_new && last.has_failed {
            self.last_read = last.number;
            return Err(Error::Unavailable("another subscriber's read of the job failed".to_owned()));
        }
        if is_new && let Some(view) = last.take() {
            self.last_read = last.number;
            return Ok(Some(view));
        }
        let number = self.shared.reads_started.fetch_add(1, Relaxed) + 1;
        let read = read.await;
        last.has_failed = read.is_err();
        if last.has_failed {
            (last.number, last.revision) = (number, revision);
        }
        let Some(record) = read? else { return Ok(None) };
        let console_version =
            last.console.advance(record.output.as_ref().map_or("", |output| &output.console));
        let view = Arc::new(JobView { record, console_version });
        // Without the table's reference and this subscriber's.
        let others = Arc::strong_count(&self.shared).saturating_sub(2);
        last.share(number, revision, &view, others);
        self.last_read = number;
        Ok(Some(view))
    }
}

impl LastRead {
    fn share(&mut self, number: u64, revision: u64, view: &Arc<JobView>, others: usize) {
        (self.number, self.revision, self.pending_readers) = (number, revision, others);
        self.view = (others > 0).then(|| Arc::clone(view));
    }

    fn take(&mut self) -> Option<Arc<JobView>> {
        self.pending_readers = self.pending_readers.saturating_sub(1);
        if self.pending_readers > 0 { self.view.clone() } else { self.view.take() }
    }
}

impl ConsoleVersion {
    /// The version of this console text.
    fn advance(&mut self, console: &str) -> u64 {
        let is_same = |start: &str| start.is_empty() || hash_of(start) == self.hash;
        if !console.get(..self.bytes).is_some_and(is_same) {
            self.number += 1;
        }
        (self.bytes, self.hash) = (console.len(), hash_of(console));
        self.number
    }
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl Drop for JobSubscription {
    fn drop(&mut self) {
        let mut jobs = self.subscriptions.jobs();
        // The reference is dropped under the lock, so that no new subscriber can take it meanwhile. Of subscribers
        // that drop at the same time, the last one finds the count at 1 and removes the entry.
        self.shared = Arc::default();
        if jobs.get(&self.id).is_some_and(|shared| Arc::strong_count(shared) == 1) {
            jobs.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pilotlight_core::job::Job;
    use pilotlight_store::JobOutput;
    use tokio::task::JoinSet;

    use super::*;
    use crate::jobs::notifier::JobSignal;
    use crate::jobs::tests::TestService;

    const SUBSCRIBERS: usize = 100;

    /// A store that counts its reads, and takes 5 ms for each.
    #[derive(Clone, Default)]
    struct CountingStore(Arc<AtomicU64>);

    impl CountingStore {
        async fn read(self, job: Job, console: String) -> Result<Option<JobRecord>, Error> {
            self.0.fetch_add(1, Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(Some(JobRecord { job, output: Some(JobOutput { console, ..JobOutput::default() }) }))
        }

        fn count(&self) -> u64 {
            self.0.swap(0, Relaxed)
        }
    }

    /// All subscribers read at the same time.
    async fn read_all(
        subscriptions: Vec<JobSubscription>,
        read: &CountingStore,
        job: &Job,
        console: &str,
    ) -> Vec<(JobSubscription, u64)> {
        let mut tasks = JoinSet::new();
        for mut subscription in subscriptions {
            let read = read.clone().read(job.clone(), console.to_owned());
            tasks.spawn(async move {
                let view = subscription.read_with(read).await.unwrap().expect("the job exists");
                (subscription, view.console_version)
            });
        }
        tasks.join_all().await
    }

    #[tokio::test]
    async fn a_change_is_read_once_for_all_subscribers() {
        let (service, read) = (TestService::new(), CountingStore::default());
        let job = service.submit("a").await;
        let mut subscriptions: Vec<_> = (0..SUBSCRIBERS).map(|_| service.jobs.subscribe(job.id)).collect();
        for (console, number) in [("", 0), ("a", 0), ("ab", 0), ("b", 1), ("bc", 1), ("", 2), ("c", 2)] {
            service.jobs.notifier.notify(job.id, JobSignal::Changed);
            let results = read_all(subscriptions, &read, &job, console).await;
            assert_eq!(read.count(), 1, "{console:?}");
            assert!(results.iter().all(|(_, last_read)| *last_read == number), "{console:?}");
            subscriptions = results.into_iter().map(|(subscription, _)| subscription).collect();
            assert!(
                subscriptions[0].shared.last.lock().await.view.is_none(),
                "a view that all subscribers have must not stay in memory"
            );
        }
        // A second read without a change, as after the recheck interval, is shared as well.
        read_all(subscriptions, &read, &job, "c").await;
        assert_eq!(read.count(), 1);
    }

    #[tokio::test]
    async fn a_change_during_a_read_causes_another_read() {
        let (service, read) = (TestService::new(), CountingStore::default());
        let job = service.submit("a").await;
        let [mut one, mut other] = [service.jobs.subscribe(job.id), service.jobs.subscribe(job.id)];
        let changes = async {
            service.jobs.notifier.notify(job.id, JobSignal::Changed);
            read.clone().read(job.clone(), "old".into()).await
        };
        one.read_with(changes).await.unwrap().expect("the job exists");
        let view = other.read_with(read.clone().read(job.clone(), "new".into())).await.unwrap();
        assert_eq!(
            view.and_then(|view| view.record.output.clone()).map(|output| output.console),
            Some("new".into())
        );
        assert_eq!(read.count(), 2);
    }

    #[tokio::test]
    async fn a_late_subscriber_does_not_get_an_older_read() {
        let (service, read) = (TestService::new(), CountingStore::default());
        let job = service.submit("a").await;
        let [mut one, _other] = [service.jobs.subscribe(job.id), service.jobs.subscribe(job.id)];
        one.read_with(read.clone().read(job.clone(), "old".into())).await.unwrap();
        let mut late = service.jobs.subscribe(job.id);
        late.read_with(read.clone().read(job.clone(), "new".into())).await.unwrap();
        assert_eq!(read.count(), 2);
    }

    #[tokio::test]
    async fn a_store_error_is_shared_by_all_subscribers() {
        let (service, reads) = (TestService::new(), Arc::new(AtomicU64::new(0)));
        let job = service.submit("a").await;
        let subscriptions: Vec<_> = (0..SUBSCRIBERS).map(|_| service.jobs.subscribe(job.id)).collect();
        service.jobs.notifier.notify(job.id, JobSignal::Changed);
        let mut tasks = JoinSet::new();
        for mut subscription in subscriptions {
            let reads = Arc::clone(&reads);
            tasks.spawn(async move {
                let read = async {
                    reads.fetch_add(1, Relaxed);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Err(Error::Unavailable(String::new()))
                };
                subscription.read_with(read).await.is_err()
            });
        }
        assert!(tasks.join_all().await.into_iter().all(|has_failed| has_failed));
        assert_eq!(reads.load(Relaxed), 1);
    }

    #[test]
    fn concurrent_unsubscribes_leave_no_entry() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _in_it = runtime.enter();
        let service = TestService::new();
        let job = runtime.block_on(service.submit("a"));
        for _ in 0..200 {
            let together = Arc::new(std::sync::Barrier::new(4));
            let leaving = (0..4).map(|_| {
                let (subscription, together) = (service.jobs.subscribe(job.id), Arc::clone(&together));
                std::thread::spawn(move || {
                    together.wait();
                    drop(subscription);
                })
            });
            leaving.collect::<Vec<_>>().into_iter().for_each(|it| it.join().unwrap());
            assert!(service.jobs.subscriptions.jobs().is_empty());
            assert_eq!(service.jobs.notifier.watched_count(), 0);
        }
    }

    #[tokio::test]
    async fn dropping_all_subscriptions_removes_the_entry() {
        let service = TestService::new();
        let job = service.submit("a").await;
        let [mut one, other] = [service.jobs.subscribe(job.id), service.jobs.subscribe(job.id)];
        assert!(one.read().await.unwrap().is_some());
        drop(other);
        assert_eq!(service.jobs.subscriptions.jobs().len(), 1);
        drop(one);
        assert!(service.jobs.subscriptions.jobs().is_empty());
    }
}
