//! The subscribers of the dashboard's event stream, and the background task that sends them updates. The task sleeps
//! while there are no subscribers. One sample of each panel and one serialized update serve all subscribers. A
//! subscriber that reads too slowly is disconnected; it reconnects and gets a new snapshot.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pilotlight_core::limits::{MAX_DASHBOARD_STREAMS, MAX_QUEUED_UPDATES};
use pilotlight_net::clock::Clock;
use pilotlight_wire::dashboard_events::{EventHead, ServiceInfo};
use tokio::sync::{Notify, mpsc};

use crate::background::TaskResults;
use crate::capability::{DashboardPanel, PanelChange};

/// How often the state is sampled. Short enough that people see a change as immediate.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(250);

/// Why a new subscriber is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SubscribeError {
    /// The maximum number of streams is open.
    TooMany,
    /// The service is stopping.
    Stopping,
}

/// An event of the stream. Clones share the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DashboardEvent {
    /// The type of the event: `snapshot` or `update`.
    pub name: &'static str,
    /// The JSON of the event.
    pub data: Arc<str>,
}

/// Sends the same events to all subscribers.
#[derive(Debug)]
pub(super) struct Broadcaster {
    info: ServiceInfo,
    panels: Vec<Arc<dyn DashboardPanel>>,
    clock: Clock,
    subscriber_arrived: Notify,
    subscribers: Mutex<Subscribers>,
}

/// Whether a sample led to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SampleResult {
    Sent,
    NothingSent,
}

#[derive(Debug, Default)]
struct Subscribers {
    senders: Vec<mpsc::Sender<DashboardEvent>>,
    stopping: bool,
}

impl Broadcaster {
    /// A broadcaster of these panels, without subscribers.
    pub(crate) fn new(info: ServiceInfo, panels: Vec<Arc<dyn DashboardPanel>>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            info,
            panels,
            clock,
            subscriber_arrived: Notify::new(),
            subscribers: Mutex::default(),
        })
    }

    /// Adds a subscriber. Its first event is a snapshot.
    ///
    /// # Errors
    /// [`SubscribeError`]: too many streams are open, or the service is stopping.
    pub(super) fn subscribe(&self) -> Result<mpsc::Receiver<DashboardEvent>, SubscribeError> {
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
        sender.try_send(self.snapshot()).expect("a new channel is empty");
        subscribers.senders.push(sender);
        self.subscriber_arrived.notify_one();
        Ok(receiver)
    }

    /// Background task: samples the state and sends updates while there are subscribers. Runs until dropped.
    pub(super) async fn run_updates(self: Arc<Self>, results: TaskResults) {
        loop {
            if self.has_subscribers() {
                tokio::time::sleep(SAMPLE_INTERVAL).await;
                if self.sample(&mut self.subscribers()) == SampleResult::Sent {
                    results.succeeded("sent what changed");
                }
            } else {
                self.subscriber_arrived.notified().await;
            }
        }
    }

    /// Ends all streams and refuses new subscribers.
    pub(super) fn stop(&self) {
        let mut subscribers = self.subscribers();
        subscribers.stopping = true;
        subscribers.senders.clear();
    }

    fn has_subscribers(&self) -> bool {
        let mut subscribers = self.subscribers();
        subscribers.remove_closed();
        if subscribers.senders.is_empty() {
            self.panels.iter().for_each(|panel| panel.forget());
        }
        !subscribers.senders.is_empty()
    }

    fn sample(&self, subscribers: &mut Subscribers) -> SampleResult {
        let updates: Vec<_> = self.panels.iter().map(|panel| panel.sample()).collect();
        if subscribers.senders.is_empty() {
            return SampleResult::NothingSent;
        }
        let change = updates.iter().map(|update| update.change).max().unwrap_or(PanelChange::Unchanged);
        let event = match change {
            PanelChange::Unchanged => return SampleResult::NothingSent,
            PanelChange::Changed => {
                self.event("update", None, updates.into_iter().map(|update| (update.fields)()).collect())
            }
            PanelChange::Reset => self.snapshot(),
        };
        subscribers.send(&event);
        SampleResult::Sent
    }

    fn snapshot(&self) -> DashboardEvent {
        let fields = self.panels.iter().map(|panel| panel.snapshot()).collect();
        self.event("snapshot", Some(&self.info), fields)
    }

    fn event(
        &self,
        name: &'static str,
        info: Option<&ServiceInfo>,
        panel_fields: Vec<String>,
    ) -> DashboardEvent {
        let head = EventHead { now: self.clock.epoch_ms(self.clock.now()), info };
        let mut objects = panel_fields;
        objects.push(serde_json::to_string(&head).expect("wire types have string keys and finite numbers"));
        DashboardEvent { name, data: merge(&objects).into() }
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

/// One JSON object with the fields of all of these, which have different names.
fn merge(objects: &[String]) -> String {
    let fields = objects.iter().filter_map(|object| object.strip_prefix('{')?.strip_suffix('}'));
    let present: Vec<_> = fields.filter(|fields| !fields.is_empty()).collect();
    format!("{{{}}}", present.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick() -> DashboardEvent {
        DashboardEvent { name: "update", data: "{}".into() }
    }

    #[test]
    fn the_fields_of_all_panels_are_one_object() {
        let merged =
            |objects: &[&str]| merge(&objects.iter().map(|&object| object.to_owned()).collect::<Vec<_>>());
        assert_eq!(merged(&[r#"{"now":1}"#, "{}", r#"{"jobs":{"a":[]}}"#]), r#"{"now":1,"jobs":{"a":[]}}"#);
        assert_eq!(merged(&["{}"]), "{}");
        assert_eq!(merged(&[]), "{}");
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
