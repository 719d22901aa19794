//! Wakes the tasks that wait for a job to change. A task is woken after the change is committed, and then reads the
//! job from the store; no state of the job is passed on here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pilotlight_core::job::JobId;
use tokio::sync::watch;
use tokio::time::timeout;

/// The longest wait without a re-read. It finds changes without a signal, as another instance's can be.
const RECHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The watched jobs.
#[derive(Debug, Default)]
pub(super) struct JobNotifier {
    jobs: Mutex<HashMap<JobId, WatchedJob>>,
}

/// A watched job.
#[derive(Debug)]
struct WatchedJob {
    signals: watch::Sender<SignalState>,
    watchers: usize,
}

/// What a waiting task is woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JobSignal {
    /// The job changed and has not ended.
    Changed,
    /// It may have ended.
    Ended,
}

/// The last signal of a watched job.
#[derive(Debug, Clone, Copy)]
struct SignalState {
    signal: JobSignal,
    /// How many signals there were.
    revision: u64,
}

/// Watches one job, until dropped.
#[derive(Debug)]
pub(super) struct JobWatch {
    notifier: Arc<JobNotifier>,
    id: JobId,
    signals: watch::Receiver<SignalState>,
}

impl JobNotifier {
    /// Watches a job from now on. Later changes are not missed.
    pub(super) fn watch(self: &Arc<Self>, id: JobId) -> JobWatch {
        let initial = SignalState { signal: JobSignal::Changed, revision: 0 };
        let new_entry = || WatchedJob { signals: watch::Sender::new(initial), watchers: 0 };
        let mut jobs = self.jobs();
        let watched = jobs.entry(id).or_insert_with(new_entry);
        watched.watchers += 1;
        let signals = watched.signals.subscribe();
        JobWatch { notifier: Arc::clone(self), id, signals }
    }

    /// Wakes all tasks that watch this job.
    pub(super) fn notify(&self, id: JobId, signal: JobSignal) {
        if let Some(watched) = self.jobs().get(&id) {
            notify(&watched.signals, signal);
        }
    }

    /// Wakes all tasks that watch any job.
    pub(super) fn notify_all(&self) {
        for watched in self.jobs().values() {
            notify(&watched.signals, JobSignal::Ended);
        }
    }

    /// How many jobs are watched.
    #[cfg(test)]
    pub(super) fn watched_count(&self) -> usize {
        self.jobs().len()
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, WatchedJob>> {
        self.jobs.lock().expect("nothing panics under this lock")
    }
}

fn notify(sender: &watch::Sender<SignalState>, signal: JobSignal) {
    sender.send_modify(|state| *state = SignalState { signal, revision: state.revision + 1 });
}

impl JobWatch {
    /// How many signals the job has had.
    pub(super) fn revision(&self) -> u64 {
        self.signals.borrow().revision
    }

    /// Waits until something of the job may have changed.
    pub(super) async fn changed(&mut self) {
        // `changed` cannot fail: the entry with the sender lives as long as this watch.
        _ = timeout(RECHECK_INTERVAL, self.signals.changed()).await;
    }

    /// Waits until the job may have ended.
    pub(super) async fn wait_ended(&mut self) {
        let ended = async {
            while self.signals.changed().await.is_ok() && self.signals.borrow().signal != JobSignal::Ended {}
        };
        _ = timeout(RECHECK_INTERVAL, ended).await;
    }
}

impl Drop for JobWatch {
    fn drop(&mut self) {
        let mut jobs = self.notifier.jobs();
        let Some(watched) = jobs.get_mut(&self.id) else { return };
        watched.watchers -= 1;
        if watched.watchers == 0 {
            jobs.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn dropping_all_watches_removes_the_entry() {
        let notifier = Arc::new(JobNotifier::default());
        let id = JobId::from_bytes([1; 16]);
        let (mut one, other) = (notifier.watch(id), notifier.watch(id));
        notifier.notify(id, JobSignal::Ended);
        one.wait_ended().await;
        drop(one);
        assert_eq!(notifier.jobs().len(), 1);
        drop(other);
        assert!(notifier.jobs().is_empty());
    }
}
