//! Who waits for a job to change. Whoever watches is woken after the change is on disk, and reads what it is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pilotlight_core::job::JobId;
use tokio::sync::watch;
use tokio::time::timeout;

/// A change that was missed, as another instance's may be, is found at the latest after this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The jobs that are watched.
#[derive(Debug, Default)]
pub(super) struct Watching {
    jobs: Mutex<HashMap<JobId, watch::Sender<Seen>>>,
}

/// What happened to a watched job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Something; it goes on.
    Changed,
    /// It may have ended.
    Ended,
}

/// Somebody who watches a job.
#[derive(Debug)]
pub struct Watch {
    watching: Arc<Watching>,
    id: JobId,
    seen: watch::Receiver<Seen>,
}

impl Watching {
    /// Watches a job from now on. What changes after this is not missed.
    pub(super) fn watch(self: &Arc<Self>, id: JobId) -> Watch {
        let seen = self.jobs().entry(id).or_insert_with(|| watch::Sender::new(Seen::Changed)).subscribe();
        Watch { watching: Arc::clone(self), id, seen }
    }

    /// Wakes whoever watches this job.
    pub(super) fn tell(&self, id: JobId, seen: Seen) {
        if let Some(sender) = self.jobs().get(&id) {
            sender.send_replace(seen);
        }
    }

    /// Wakes everybody.
    pub(super) fn tell_all(&self) {
        for sender in self.jobs().values() {
            sender.send_replace(Seen::Ended);
        }
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<Seen>>> {
        self.jobs.lock().expect("nothing panics under this lock")
    }
}

impl Watch {
    /// Waits until something of the job may have changed.
    pub async fn changed(&mut self) {
        // Its sender lives as long as this does.
        _ = timeout(LOOK_EVERY, self.seen.changed()).await;
    }

    /// Waits until the job may have ended.
    pub(super) async fn ended(&mut self) {
        let ended =
            async { while self.seen.changed().await.is_ok() && *self.seen.borrow() != Seen::Ended {} };
        _ = timeout(LOOK_EVERY, ended).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut jobs = self.watching.jobs();
        // Under the lock nobody begins to watch; this receiver is still counted.
        if jobs.get(&self.id).is_some_and(|sender| sender.receiver_count() <= 1) {
            jobs.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_left_of_those_who_watched() {
        let watching = Arc::new(Watching::default());
        let id = JobId::from_bytes([1; 16]);
        let (mut one, other) = (watching.watch(id), watching.watch(id));
        watching.tell(id, Seen::Ended);
        one.ended().await;
        drop(one);
        assert_eq!(watching.jobs().len(), 1);
        drop(other);
        assert!(watching.jobs().is_empty());
    }
}
