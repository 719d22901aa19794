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
    jobs: Mutex<HashMap<JobId, Watched>>,
}

/// A watched job.
#[derive(Debug)]
struct Watched {
    words: watch::Sender<Word>,
    watchers: usize,
}

/// What happened to a watched job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Something; it goes on.
    Changed,
    /// It may have ended.
    Ended,
}

/// What those who watch a job are told.
#[derive(Debug, Clone, Copy)]
struct Word {
    seen: Seen,
    /// Counts the changes.
    change: u64,
}

/// Somebody who watches a job.
#[derive(Debug)]
pub(super) struct Watch {
    watching: Arc<Watching>,
    id: JobId,
    words: watch::Receiver<Word>,
}

impl Watching {
    /// Watches a job from now on. What changes after this is not missed.
    pub(super) fn watch(self: &Arc<Self>, id: JobId) -> Watch {
        let nothing = Word { seen: Seen::Changed, change: 0 };
        let first = || Watched { words: watch::Sender::new(nothing), watchers: 0 };
        let mut jobs = self.jobs();
        let watched = jobs.entry(id).or_insert_with(first);
        watched.watchers += 1;
        let words = watched.words.subscribe();
        Watch { watching: Arc::clone(self), id, words }
    }

    /// Wakes whoever watches this job.
    pub(super) fn tell(&self, id: JobId, seen: Seen) {
        if let Some(watched) = self.jobs().get(&id) {
            tell(&watched.words, seen);
        }
    }

    /// Wakes everybody.
    pub(super) fn tell_all(&self) {
        for watched in self.jobs().values() {
            tell(&watched.words, Seen::Ended);
        }
    }

    /// How many jobs are watched.
    #[cfg(test)]
    pub(super) fn watched(&self) -> usize {
        self.jobs().len()
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<JobId, Watched>> {
        self.jobs.lock().expect("nothing panics under this lock")
    }
}

fn tell(sender: &watch::Sender<Word>, seen: Seen) {
    sender.send_modify(|word| *word = Word { seen, change: word.change + 1 });
}

impl Watch {
    /// How many changes of the job there were.
    pub(super) fn change(&self) -> u64 {
        self.words.borrow().change
    }

    /// Waits until something of the job may have changed.
    pub(super) async fn changed(&mut self) {
        // Its sender lives as long as this does.
        _ = timeout(LOOK_EVERY, self.words.changed()).await;
    }

    /// Waits until the job may have ended.
    pub(super) async fn ended(&mut self) {
        let ended =
            async { while self.words.changed().await.is_ok() && self.words.borrow().seen != Seen::Ended {} };
        _ = timeout(LOOK_EVERY, ended).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut jobs = self.watching.jobs();
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
