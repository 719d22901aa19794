//! A job as those see it who watch it go: it is read once for all of them, however many they are. What was read is kept
//! until each of them has taken it, or one of them reads again; and nothing is kept of jobs that nobody watches.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use pilotlight_core::job::JobId;
use pilotlight_store::{Error, JobRecord};
use tokio::sync::Mutex as AsyncMutex;

use super::notifier::JobWatch;
use super::service::JobService;

/// A job at a moment.
#[derive(Debug)]
pub struct JobView {
    /// The job.
    pub record: JobRecord,
    /// Counts the consoles that did not begin with the one before: as long as it is the same, the console has grown.
    pub console_version: u64,
}

/// Somebody who watches a job go.
#[derive(Debug)]
pub struct JobSubscription {
    jobs: Arc<JobService>,
    id: JobId,
    watch: JobWatch,
    shared: Arc<SharedReads>,
    /// Only what was begun to be read after this is news.
    last_read: u64,
}

/// The jobs that are watched as they go.
#[derive(Debug, Default)]
pub(super) struct JobSubscriptions {
    jobs: Mutex<HashMap<JobId, Arc<SharedReads>>>,
}

/// What those who watch one job have in common.
#[derive(Debug, Default)]
struct SharedReads {
    /// Readings so far.
    reads_started: AtomicU64,
    /// One of them reads at a time.
    last: AsyncMutex<LastRead>,
}

/// What was read last.
#[derive(Debug, Default)]
struct LastRead {
    number: u64,
    /// The last change before it was begun.
    revision: u64,
    view: Option<Arc<JobView>>,
    /// The store could not be read: who waited meanwhile is told so, and does not wait as long again.
    has_failed: bool,
    /// Others who may still come for it.
    pending_readers: usize,
    console: ConsoleVersion,
}

/// The console that was read last, without the text.
#[derive(Debug, Default)]
struct ConsoleVersion {
    bytes: usize,
    hash: u64,
    number: u64,
}

impl JobService {
    /// Watches a job go from now on.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, id: JobId) -> JobSubscription {
        let watch = self.notifier.watch(id);
        let shared = Arc::clone(self.subscriptions.jobs().entry(id).or_default());
        let last_read = shared.reads_started.load(Relaxed);
        JobSubscription { jobs: Arc::clone(self), id, watch, shared, last_read }
    }
}

impl JobSubscription {
    /// Waits until something of the job may have changed.
    pub async fn changed(&mut self) {
        self.watch.changed().await;
    }

    /// The job as it is after that; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read(&mut self) -> Result<Option<Arc<JobView>>, Error> {
        let jobs = Arc::clone(&self.jobs);
        self.read_with(jobs.store.job(self.id)).await
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
            return Err(Error::Unavailable("the job could not be read".to_owned()));
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
        // The table and this one have it too.
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
    /// The number of this console.
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

impl JobSubscriptions {
    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Arc<SharedReads>>> {
        self.jobs.lock().expect("nothing panics under this lock")
    }
}

impl Drop for JobSubscription {
    fn drop(&mut self) {
        let mut jobs = self.jobs.subscriptions.jobs();
        // Given up under the lock, where nobody begins to watch: of those who leave together, the last one sees it.
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

    use super::super::notifier::JobSignal;
    use super::super::tests::TestService;
    use super::*;

    const SUBSCRIBERS: usize = 100;

    /// A store that counts how often it is read, and takes its time.
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

    /// All look at once.
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
                let view = subscription.read_with(read).await.unwrap().expect("it is there");
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
                "nothing is kept that all have"
            );
        }
        // What is looked at again without a change, as after a while, is read once as well.
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
        one.read_with(changes).await.unwrap().expect("it is there");
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
