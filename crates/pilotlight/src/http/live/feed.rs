//! Who watches, and the reconcilers that look for them: they rest while nobody does. However many watch, matching is
//! looked at once and an update is written once. A watcher who reads too slowly is let go and begins anew.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use pilotlight_core::limits::{MAX_DASHBOARD_STREAMS, MAX_QUEUED_UPDATES};
use pilotlight_wire::jobs_admin::Stats;
use serde::Serialize;
use tokio::sync::{Notify, mpsc};

use super::super::jobs_admin;
use super::board::{About, Board, News};
use super::jobs::JobsLook;
use super::look::Look;
use crate::clock::Clock;
use crate::dispatch::dispatcher::Dispatcher;
use crate::jobs::Jobs;

/// Fine enough to look like at once.
const EVERY: Duration = Duration::from_millis(250);

/// Jobs are counted in the store at most so often, and only when something of them changed..
const COUNTED_EVERY: Duration = Duration::from_secs(1);

/// ..or after so many times without a change: other instances and retention change them too.
const UNCHANGED: u32 = 5;

/// After so many looks without news a sign of life is sent: whoever watches through something that closes silent
/// connections goes on watching.
const QUIET_LOOKS: u32 = 60;

const SIGN_OF_LIFE: Bytes = Bytes::from_static(b":\n\n");

/// Why nobody more may watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// As many watch as may.
    Watched,
    /// The service stops.
    Stopping,
}

/// Tells all watchers what happens.
#[derive(Debug)]
pub struct Feed {
    dispatcher: Arc<Dispatcher>,
    jobs: Option<Arc<Jobs>>,
    clock: Clock,
    about: About,
    someone_came: Notify,
    someone_counts: Notify,
    audience: Mutex<Audience>,
}

#[derive(Debug, Default)]
struct Audience {
    watchers: Vec<mpsc::Sender<Bytes>>,
    // What they all know; empty while nobody watches.
    board: Board,
    counts: Option<Stats>,
    quiet_looks: u32,
    stopping: bool,
}

impl Feed {
    /// Nobody watches yet.
    #[must_use]
    pub fn new(
        dispatcher: Arc<Dispatcher>,
        jobs: Option<Arc<Jobs>>,
        clock: Clock,
        about: About,
    ) -> Arc<Self> {
        let (someone_came, someone_counts) = (Notify::new(), Notify::new());
        Arc::new(Self {
            dispatcher,
            jobs,
            clock,
            about,
            someone_came,
            someone_counts,
            audience: Mutex::default(),
        })
    }

    /// Watches: the first event is a snapshot.
    ///
    /// # Errors
    /// [`Full`] says why not.
    pub fn watch(&self) -> Result<mpsc::Receiver<Bytes>, Full> {
        let mut audience = self.audience();
        audience.count();
        if audience.stopping {
            return Err(Full::Stopping);
        }
        if audience.watchers.len() >= MAX_DASHBOARD_STREAMS {
            return Err(Full::Watched);
        }
        self.look(&mut audience);
        let (sender, receiver) = mpsc::channel(MAX_QUEUED_UPDATES);
        let snapshot = audience.board.snapshot(&self.about, self.clock);
        sender.try_send(event("snapshot", &snapshot)).expect("an empty channel has room");
        audience.watchers.push(sender);
        self.someone_came.notify_one();
        self.someone_counts.notify_one();
        Ok(receiver)
    }

    /// Looks for the watchers until dropped.
    pub async fn keep(self: Arc<Self>) {
        loop {
            if self.is_watched() {
                tokio::time::sleep(EVERY).await;
                self.look(&mut self.audience());
            } else {
                self.someone_came.notified().await;
            }
        }
    }

    /// Counts the jobs for the watchers until dropped.
    pub async fn count(self: Arc<Self>, jobs: Arc<Jobs>) {
        let (mut counted, mut unchanged) = (None, 0);
        loop {
            if self.nobody_reads_counts() {
                self.someone_counts.notified().await;
                counted = None;
            }
            let revision = jobs.revision();
            if counted == Some(revision) && unchanged < UNCHANGED {
                unchanged += 1;
            } else {
                self.count_once(&jobs).await;
                (counted, unchanged) = (Some(revision), 0);
            }
            tokio::time::sleep(COUNTED_EVERY).await;
        }
    }

    /// Then what was counted is out of date soon.
    fn nobody_reads_counts(&self) -> bool {
        let mut audience = self.audience();
        audience.count();
        if audience.watchers.is_empty() {
            audience.counts = None;
        }
        audience.watchers.is_empty()
    }

    /// What was counted before stays when the store cannot tell.
    async fn count_once(&self, jobs: &Jobs) {
        match jobs_admin::count(jobs).await {
            Ok(counts) => self.audience().counts = Some(counts),
            Err(error) => tracing::debug!(%error, "failed to count jobs for the dashboard"),
        }
    }

    /// Ends every watch, and lets nobody begin one.
    pub fn stop(&self) {
        let mut audience = self.audience();
        audience.stopping = true;
        audience.watchers.clear();
    }

    fn is_watched(&self) -> bool {
        let mut audience = self.audience();
        audience.count();
        if audience.watchers.is_empty() {
            audience.board = Board::default();
        }
        !audience.watchers.is_empty()
    }

    fn look(&self, audience: &mut Audience) {
        let mut look = Look::take(&self.dispatcher, self.clock, &audience.board);
        look.jobs = self
            .jobs
            .as_ref()
            .map(|jobs| JobsLook::take(jobs, audience.counts, audience.board.newest_job_bucket(), look.now));
        let news = audience.board.take_in(look, self.clock);
        if audience.watchers.is_empty() {
            return;
        }
        let event = match news {
            News::None => return audience.nothing_new(),
            News::Update(update) => event("update", &*update),
            News::Everything => event("snapshot", &audience.board.snapshot(&self.about, self.clock)),
        };
        audience.tell(&event);
    }

    fn audience(&self) -> MutexGuard<'_, Audience> {
        self.audience.lock().expect("nothing panics under this lock")
    }
}

impl Audience {
    /// Forgets those who left.
    fn count(&mut self) {
        self.watchers.retain(|watcher| !watcher.is_closed());
    }

    /// A watcher whose channel is full is let go: what it has is of no use without this.
    fn tell(&mut self, event: &Bytes) {
        self.watchers.retain(|watcher| watcher.try_send(event.clone()).is_ok());
        self.quiet_looks = 0;
    }

    fn nothing_new(&mut self) {
        self.quiet_looks += 1;
        if self.quiet_looks == QUIET_LOOKS {
            self.tell(&SIGN_OF_LIFE);
        }
    }
}

fn event(name: &str, data: &impl Serialize) -> Bytes {
    let mut event = format!("event: {name}\ndata: ").into_bytes();
    serde_json::to_writer(&mut event, data).expect("wire types have string keys and finite numbers");
    event.extend_from_slice(b"\n\n");
    event.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Bytes = Bytes::from_static(b"x");

    fn watched(audience: &mut Audience) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED_UPDATES);
        audience.watchers.push(sender);
        receiver
    }

    #[test]
    fn who_reads_too_slowly_is_let_go_and_nobody_else_is() {
        let mut audience = Audience::default();
        let (mut quick, mut slow) = (watched(&mut audience), watched(&mut audience));
        for _ in 0..=MAX_QUEUED_UPDATES {
            audience.tell(&TICK);
            assert_eq!(quick.try_recv(), Ok(TICK));
        }
        assert_eq!(audience.watchers.len(), 1);
        // What was told before is still there, then the watch is over.
        (0..MAX_QUEUED_UPDATES).for_each(|_| assert_eq!(slow.try_recv(), Ok(TICK)));
        assert_eq!(slow.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }

    #[test]
    fn who_left_is_not_counted() {
        let mut audience = Audience::default();
        let _stays = watched(&mut audience);
        drop(watched(&mut audience));
        audience.count();
        assert_eq!(audience.watchers.len(), 1);
    }

    #[test]
    fn a_long_silence_is_broken_by_a_sign_of_life() {
        let mut audience = Audience::default();
        let mut watcher = watched(&mut audience);
        (1..QUIET_LOOKS).for_each(|_| audience.nothing_new());
        assert!(watcher.try_recv().is_err());
        audience.nothing_new();
        assert_eq!(watcher.try_recv(), Ok(SIGN_OF_LIFE));
    }
}
