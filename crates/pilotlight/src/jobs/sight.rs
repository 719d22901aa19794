//! A job as those see it who watch it go: it is read once for all of them, however many they are. What was read is kept
//! until each of them has taken it, or one of them reads again; and nothing is kept of jobs that nobody watches.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use pilotlight_core::job::JobId;
use pilotlight_store::{Error, JobRecord};
use tokio::sync::Mutex as HeldWhileReading;

use super::driver::Jobs;
use super::watching::Watch;

/// A job at a moment.
#[derive(Debug)]
pub struct Sight {
    /// The job.
    pub found: JobRecord,
    /// Counts the consoles that did not begin with the one before: as long as it is the same, the console has grown.
    pub console: u64,
}

/// Somebody who watches a job go.
#[derive(Debug)]
pub struct Onlooker {
    jobs: Arc<Jobs>,
    id: JobId,
    watch: Watch,
    shared: Arc<Shared>,
    /// Only what was begun to be read after this is news.
    seen: u64,
}

/// The jobs that are watched as they go.
#[derive(Debug, Default)]
pub(super) struct Onlookers {
    jobs: Mutex<HashMap<JobId, Arc<Shared>>>,
}

/// What those who watch one job have in common.
#[derive(Debug, Default)]
struct Shared {
    /// Readings so far.
    begun: AtomicU64,
    /// One of them reads at a time.
    last: HeldWhileReading<Reading>,
}

/// What was read last.
#[derive(Debug, Default)]
struct Reading {
    number: u64,
    /// The last change before it was begun.
    change: u64,
    sight: Option<Arc<Sight>>,
    /// The store could not be read: who waited meanwhile is told so, and does not wait as long again.
    has_failed: bool,
    /// Others who may still come for it.
    awaited: usize,
    console: Printed,
}

/// The console that was read last, without the text.
#[derive(Debug, Default)]
struct Printed {
    bytes: usize,
    hash: u64,
    number: u64,
}

impl Jobs {
    /// Watches a job go from now on.
    #[must_use]
    pub fn look_on(self: &Arc<Self>, id: JobId) -> Onlooker {
        let watch = self.watching.watch(id);
        let shared = Arc::clone(self.onlookers.jobs().entry(id).or_default());
        let seen = shared.begun.load(Relaxed);
        Onlooker { jobs: Arc::clone(self), id, watch, shared, seen }
    }
}

impl Onlooker {
    /// Waits until something of the job may have changed.
    pub async fn changed(&mut self) {
        self.watch.changed().await;
    }

    /// The job as it is after that; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn look(&mut self) -> Result<Option<Arc<Sight>>, Error> {
        let jobs = Arc::clone(&self.jobs);
        self.look_by(jobs.store.job(self.id)).await
    }

    async fn look_by(
        &mut self,
        read: impl Future<Output = Result<Option<JobRecord>, Error>>,
    ) -> Result<Option<Arc<Sight>>, Error> {
        let mut last = self.shared.last.lock().await;
        let change = self.watch.change();
        let is_news = last.number > self.seen && last.change == change;
        if is_news && last.has_failed {
            self.seen = last.number;
            return Err(Error::Unavailable("the job could not be read".to_owned()));
        }
        if is_news && let Some(sight) = last.take() {
            self.seen = last.number;
            return Ok(Some(sight));
        }
        let number = self.shared.begun.fetch_add(1, Relaxed) + 1;
        let read = read.await;
        last.has_failed = read.is_err();
        if last.has_failed {
            (last.number, last.change) = (number, change);
        }
        let Some(found) = read? else { return Ok(None) };
        let console = last.console.after(found.output.as_ref().map_or("", |end| &end.console));
        let sight = Arc::new(Sight { found, console });
        // The table and this one have it too.
        let others = Arc::strong_count(&self.shared).saturating_sub(2);
        last.keep(number, change, &sight, others);
        self.seen = number;
        Ok(Some(sight))
    }
}

impl Reading {
    fn keep(&mut self, number: u64, change: u64, sight: &Arc<Sight>, others: usize) {
        (self.number, self.change, self.awaited) = (number, change, others);
        self.sight = (others > 0).then(|| Arc::clone(sight));
    }

    fn take(&mut self) -> Option<Arc<Sight>> {
        self.awaited = self.awaited.saturating_sub(1);
        if self.awaited > 0 { self.sight.clone() } else { self.sight.take() }
    }
}

impl Printed {
    /// The number of this console.
    fn after(&mut self, console: &str) -> u64 {
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

impl Onlookers {
    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Shared>>> {
        self.jobs.lock().expect("nothing panics under this lock")
    }
}

impl Drop for Onlooker {
    fn drop(&mut self) {
        let mut jobs = self.jobs.onlookers.jobs();
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

    use super::super::tests::House;
    use super::super::watching::Seen;
    use super::*;

    const MANY: usize = 100;

    /// A store that counts how often it is read, and takes its time.
    #[derive(Clone, Default)]
    struct Read(Arc<AtomicU64>);

    impl Read {
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
    async fn all_look(
        onlookers: Vec<Onlooker>,
        read: &Read,
        job: &Job,
        console: &str,
    ) -> Vec<(Onlooker, u64)> {
        let mut looks = JoinSet::new();
        for mut onlooker in onlookers {
            let read = read.clone().read(job.clone(), console.to_owned());
            looks.spawn(async move {
                let sight = onlooker.look_by(read).await.unwrap().expect("it is there");
                (onlooker, sight.console)
            });
        }
        looks.join_all().await
    }

    #[tokio::test]
    async fn a_change_is_read_once_for_all_who_watch() {
        let (house, read) = (House::new(), Read::default());
        let job = house.submit("a").await;
        let mut onlookers: Vec<_> = (0..MANY).map(|_| house.jobs.look_on(job.id)).collect();
        for (console, number) in [("", 0), ("a", 0), ("ab", 0), ("b", 1), ("bc", 1), ("", 2), ("c", 2)] {
            house.jobs.watching.tell(job.id, Seen::Changed);
            let looked = all_look(onlookers, &read, &job, console).await;
            assert_eq!(read.count(), 1, "{console:?}");
            assert!(looked.iter().all(|(_, seen)| *seen == number), "{console:?}");
            onlookers = looked.into_iter().map(|(onlooker, _)| onlooker).collect();
            assert!(onlookers[0].shared.last.lock().await.sight.is_none(), "nothing is kept that all have");
        }
        // What is looked at again without a change, as after a while, is read once as well.
        all_look(onlookers, &read, &job, "c").await;
        assert_eq!(read.count(), 1);
    }

    #[tokio::test]
    async fn what_changed_while_it_was_read_is_read_again() {
        let (house, read) = (House::new(), Read::default());
        let job = house.submit("a").await;
        let [mut one, mut other] = [house.jobs.look_on(job.id), house.jobs.look_on(job.id)];
        let changes = async {
            house.jobs.watching.tell(job.id, Seen::Changed);
            read.clone().read(job.clone(), "old".into()).await
        };
        one.look_by(changes).await.unwrap().expect("it is there");
        let sight = other.look_by(read.clone().read(job.clone(), "new".into())).await.unwrap();
        assert_eq!(
            sight.and_then(|sight| sight.found.output.clone()).map(|end| end.console),
            Some("new".into())
        );
        assert_eq!(read.count(), 2);
    }

    #[tokio::test]
    async fn who_comes_later_is_not_told_what_was_read_before() {
        let (house, read) = (House::new(), Read::default());
        let job = house.submit("a").await;
        let [mut one, _other] = [house.jobs.look_on(job.id), house.jobs.look_on(job.id)];
        one.look_by(read.clone().read(job.clone(), "old".into())).await.unwrap();
        let mut late = house.jobs.look_on(job.id);
        late.look_by(read.clone().read(job.clone(), "new".into())).await.unwrap();
        assert_eq!(read.count(), 2);
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_waited_for_once() {
        let (house, reads) = (House::new(), Arc::new(AtomicU64::new(0)));
        let job = house.submit("a").await;
        let onlookers: Vec<_> = (0..MANY).map(|_| house.jobs.look_on(job.id)).collect();
        house.jobs.watching.tell(job.id, Seen::Changed);
        let mut looks = JoinSet::new();
        for mut onlooker in onlookers {
            let reads = Arc::clone(&reads);
            looks.spawn(async move {
                let read = async {
                    reads.fetch_add(1, Relaxed);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Err(Error::Unavailable(String::new()))
                };
                onlooker.look_by(read).await.is_err()
            });
        }
        assert!(looks.join_all().await.into_iter().all(|has_failed| has_failed));
        assert_eq!(reads.load(Relaxed), 1);
    }

    #[test]
    fn nothing_is_left_of_those_who_leave_together() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _in_it = runtime.enter();
        let house = House::new();
        let job = runtime.block_on(house.submit("a"));
        for _ in 0..200 {
            let together = Arc::new(std::sync::Barrier::new(4));
            let leaving = (0..4).map(|_| {
                let (onlooker, together) = (house.jobs.look_on(job.id), Arc::clone(&together));
                std::thread::spawn(move || {
                    together.wait();
                    drop(onlooker);
                })
            });
            leaving.collect::<Vec<_>>().into_iter().for_each(|it| it.join().unwrap());
            assert!(house.jobs.onlookers.jobs().is_empty());
            assert_eq!(house.jobs.watching.watched(), 0);
        }
    }

    #[tokio::test]
    async fn nothing_is_left_of_those_who_watched() {
        let house = House::new();
        let job = house.submit("a").await;
        let [mut one, other] = [house.jobs.look_on(job.id), house.jobs.look_on(job.id)];
        assert!(one.look().await.unwrap().is_some());
        drop(other);
        assert_eq!(house.jobs.onlookers.jobs().len(), 1);
        drop(one);
        assert!(house.jobs.onlookers.jobs().is_empty());
    }
}
