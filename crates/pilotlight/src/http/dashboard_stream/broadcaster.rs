//! Who watches, and the reconcilers that look for them: they rest while nobody does. However many watch, matching is
//! looked at once and an update is written once. A watcher who reads too slowly is let go and begins anew.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pilotlight_core::limits::{MAX_DASHBOARD_STREAMS, MAX_QUEUED_UPDATES};
use pilotlight_wire::jobs_admin::AdminStats;
use serde::Serialize;
use tokio::sync::{Notify, mpsc};

use super::super::jobs_admin;
use super::jobs::JobsSample;
use super::sample::Sample;
use super::state::{DashboardInfo, DashboardState, Diff};
use crate::clock::Clock;
use crate::dispatch::dispatcher::Dispatcher;
use crate::jobs::JobService;

/// Fine enough to look like at once.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// Jobs are counted in the store at most so often, and only when something of them changed..
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// ..or after so many times without a change: other instances and retention change them too.
const MAX_UNCHANGED_COUNTS: u32 = 5;

/// Why nobody more may watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscribeError {
    /// As many watch as may.
    TooMany,
    /// The service stops.
    Stopping,
}

/// An event of the stream. Clones share the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DashboardEvent {
    /// The type of the event: `snapshot` or `update`.
    pub name: &'static str,
    /// The JSON of the event.
    pub data: Arc<str>,
}

/// Tells all watchers what happens.
#[derive(Debug)]
pub struct Broadcaster {
    dispatcher: Arc<Dispatcher>,
    jobs: Option<Arc<JobService>>,
    clock: Clock,
    info: DashboardInfo,
    subscriber_arrived: Notify,
    counts_wanted: Notify,
    subscribers: Mutex<Subscribers>,
}

#[derive(Debug, Default)]
struct Subscribers {
    senders: Vec<mpsc::Sender<DashboardEvent>>,
    // What they all know; empty while nobody watches.
    state: DashboardState,
    counts: Option<AdminStats>,
    stopping: bool,
}

impl Broadcaster {
    /// Nobody watches yet.
    #[must_use]
    pub fn new(
        dispatcher: Arc<Dispatcher>,
        jobs: Option<Arc<JobService>>,
        clock: Clock,
        info: DashboardInfo,
    ) -> Arc<Self> {
        let (subscriber_arrived, counts_wanted) = (Notify::new(), Notify::new());
        Arc::new(Self {
            dispatcher,
            jobs,
            clock,
            info,
            subscriber_arrived,
            counts_wanted,
            subscribers: Mutex::default(),
        })
    }

    /// Watches: the first event is a snapshot.
    ///
    /// # Errors
    /// [`SubscribeError`] says why not.
    pub fn subscribe(&self) -> Result<mpsc::Receiver<DashboardEvent>, SubscribeError> {
        let mut subscribers = self.subscribers();
        subscribers.remove_closed();
        if subscribers.stopping {
            return Err(SubscribeError::Stopping);
        }
        if subscribers.senders.len() >= MAX_DASHBOARD_STREAMS {
            return Err(SubscribeError::TooMany);
        }
        self.sample(&mut subscribers);
        let (sender, receiver) = mpsc::channel(MAX_QUEUED_UPDATES);
        let snapshot = subscribers.state.snapshot(&self.info, self.clock);
        sender.try_send(event("snapshot", &snapshot)).expect("an empty channel has room");
        subscribers.senders.push(sender);
        self.subscriber_arrived.notify_one();
        self.counts_wanted.notify_one();
        Ok(receiver)
    }

    /// Looks for the watchers until dropped.
    pub async fn run_updates(self: Arc<Self>) {
        loop {
            if self.has_subscribers() {
                tokio::time::sleep(SAMPLE_INTERVAL).await;
                self.sample(&mut self.subscribers());
            } else {
                self.subscriber_arrived.notified().await;
            }
        }
    }

    /// Counts the jobs for the watchers until dropped.
    pub async fn run_counts(self: Arc<Self>, jobs: Arc<JobService>) {
        let (mut counted_revision, mut unchanged) = (None, 0);
        loop {
            if self.counts_unused() {
                self.counts_wanted.notified().await;
                counted_revision = None;
            }
            let revision = jobs.revision();
            if counted_revision == Some(revision) && unchanged < MAX_UNCHANGED_COUNTS {
                unchanged += 1;
            } else {
                self.refresh_counts(&jobs).await;
                (counted_revision, unchanged) = (Some(revision), 0);
            }
            tokio::time::sleep(COUNT_INTERVAL).await;
        }
    }

    /// Then what was counted is out of date soon.
    fn counts_unused(&self) -> bool {
        let mut subscribers = self.subscribers();
        subscribers.remove_closed();
        if subscribers.senders.is_empty() {
            subscribers.counts = None;
        }
        subscribers.senders.is_empty()
    }

    /// What was counted before stays when the store cannot tell.
    async fn refresh_counts(&self, jobs: &JobService) {
        match jobs_admin::count(jobs).await {
            Ok(counts) => self.subscribers().counts = Some(counts),
            Err(error) => tracing::debug!(%error, "failed to count jobs for the dashboard"),
        }
    }

    /// Ends every watch, and lets nobody begin one.
    pub fn stop(&self) {
        let mut subscribers = self.subscribers();
        subscribers.stopping = true;
        subscribers.senders.clear();
    }

    fn has_subscribers(&self) -> bool {
        let mut subscribers = self.subscribers();
        subscribers.remove_closed();
        if subscribers.senders.is_empty() {
            subscribers.state = DashboardState::default();
        }
        !subscribers.senders.is_empty()
    }

    fn sample(&self, subscribers: &mut Subscribers) {
        let mut sample = Sample::take(&self.dispatcher, self.clock, &subscribers.state);
        sample.jobs = self.jobs.as_ref().map(|jobs| {
            JobsSample::take(jobs, subscribers.counts, subscribers.state.newest_job_bucket(), sample.now)
        });
        let diff = subscribers.state.apply(sample, self.clock);
        if subscribers.senders.is_empty() {
            return;
        }
        let event = match diff {
            Diff::Unchanged => return,
            Diff::Update(update) => event("update", &*update),
            Diff::Reset => event("snapshot", &subscribers.state.snapshot(&self.info, self.clock)),
        };
        subscribers.send(&event);
    }

    fn subscribers(&self) -> MutexGuard<'_, Subscribers> {
        self.subscribers.lock().expect("nothing panics under this lock")
    }
}

impl Subscribers {
    /// Forgets those who left.
    fn remove_closed(&mut self) {
        self.senders.retain(|sender| !sender.is_closed());
    }

    /// A watcher whose channel is full is let go: what it has is of no use without this.
    fn send(&mut self, event: &DashboardEvent) {
        self.senders.retain(|sender| sender.try_send(event.clone()).is_ok());
    }
}

fn event(name: &'static str, data: &impl Serialize) -> DashboardEvent {
    let data = serde_json::to_string(data).expect("wire types have string keys and finite numbers");
    DashboardEvent { name, data: data.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick() -> DashboardEvent {
        event("update", &0)
    }

    fn subscribe(subscribers: &mut Subscribers) -> mpsc::Receiver<DashboardEvent> {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED_UPDATES);
        subscribers.senders.push(sender);
        receiver
    }

    #[test]
    fn a_slow_subscriber_is_dropped_and_no_other() {
        let mut subscribers = Subscribers::default();
        let (mut fast, mut slow) = (subscribe(&mut subscribers), subscribe(&mut subscribers));
        for _ in 0..=MAX_QUEUED_UPDATES {
            subscribers.send(&tick());
            assert_eq!(fast.try_recv(), Ok(tick()));
        }
        assert_eq!(subscribers.senders.len(), 1);
        // What was told before is still there, then the watch is over.
        (0..MAX_QUEUED_UPDATES).for_each(|_| assert_eq!(slow.try_recv(), Ok(tick())));
        assert_eq!(slow.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }

    #[test]
    fn a_subscriber_that_left_is_not_counted() {
        let mut subscribers = Subscribers::default();
        let _still_open = subscribe(&mut subscribers);
        drop(subscribe(&mut subscribers));
        subscribers.remove_closed();
        assert_eq!(subscribers.senders.len(), 1);
    }
}
