//! The subscribers of the dashboard's event stream, and the two background tasks that send them updates. The tasks
//! sleep while there are no subscribers. One sample and one serialized update serve all subscribers. A subscriber that
//! reads too slowly is disconnected; it reconnects and gets a new snapshot.

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

/// How often the state is sampled. Short enough that people see a change as immediate.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// Jobs are counted in the store at most this often, and only after a job changed (but see [`MAX_UNCHANGED_COUNTS`]).
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// Jobs are counted anyway after this many intervals without a known change, because other instances and retention
/// change jobs too.
const MAX_UNCHANGED_COUNTS: u32 = 5;

/// Why a new subscriber is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscribeError {
    /// The maximum number of streams is open.
    TooMany,
    /// The service is stopping.
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

/// Sends the same events to all subscribers.
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
    // The state that every subscriber has; empty while there are no subscribers.
    state: DashboardState,
    counts: Option<AdminStats>,
    stopping: bool,
}

impl Broadcaster {
    /// A broadcaster without subscribers.
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

    /// Adds a subscriber. Its first event is a snapshot.
    ///
    /// # Errors
    /// [`SubscribeError`]: too many streams are open, or the service is stopping.
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
        sender.try_send(event("snapshot", &snapshot)).expect("a new channel is empty");
        subscribers.senders.push(sender);
        self.subscriber_arrived.notify_one();
        self.counts_wanted.notify_one();
        Ok(receiver)
    }

    /// Background task: samples the state and sends updates while there are subscribers. Runs until dropped.
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

    /// Background task: counts the jobs in the store while there are subscribers. Runs until dropped.
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

    /// Whether there are no subscribers. Then the last counts are discarded, because they soon become out of date.
    fn counts_unused(&self) -> bool {
        let mut subscribers = self.subscribers();
        subscribers.remove_closed();
        if subscribers.senders.is_empty() {
            subscribers.counts = None;
        }
        subscribers.senders.is_empty()
    }

    /// Counts the jobs. The previous counts stay when the store fails.
    async fn refresh_counts(&self, jobs: &JobService) {
        match jobs_admin::count(jobs).await {
            Ok(counts) => self.subscribers().counts = Some(counts),
            Err(error) => tracing::debug!(%error, "failed to count jobs for the dashboard"),
        }
    }

    /// Ends all streams and refuses new subscribers.
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
    /// Removes the subscribers that have disconnected.
    fn remove_closed(&mut self) {
        self.senders.retain(|sender| !sender.is_closed());
    }

    /// Sends an event to all subscribers. A subscriber whose channel is full is disconnected: without this event, its
    /// state would be wrong.
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
        // The events that were sent before can still be read, then the stream ends.
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
