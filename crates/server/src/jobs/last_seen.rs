//! Limits how often `seen_at` of a runner is written to the store: at most once per interval, because no reader needs
//! it more precise. The times themselves are in the store.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use pilotlight_core::ids::RunnerId;
use pilotlight_core::limits::MAX_TRACKED_RUNNERS;
use pilotlight_core::time::Timestamp;

/// How far the stored time may lag behind while a runner keeps sending requests.
const WRITE_INTERVAL: Duration = Duration::from_secs(10);

/// When each recently seen runner was last written to the store.
#[derive(Debug, Default)]
pub(super) struct LastSeen {
    written_at: Mutex<HashMap<RunnerId, Timestamp>>,
}

impl LastSeen {
    /// Records a request of a runner. Returns whether the store must be updated; that is always so for runners above
    /// [`MAX_TRACKED_RUNNERS`].
    pub(super) fn record(&self, runner: &RunnerId, now: Timestamp) -> bool {
        let mut written_at = self.written_at();
        if written_at.get(runner).is_some_and(|at| now.since(*at) < WRITE_INTERVAL) {
            return false;
        }
        if written_at.len() < MAX_TRACKED_RUNNERS {
            written_at.insert(runner.clone(), now);
        }
        true
    }

    /// Removes runners that must be written at their next request anyway.
    pub(super) fn prune(&self, now: Timestamp) {
        self.written_at().retain(|_, at| now.since(*at) < WRITE_INTERVAL);
    }

    fn written_at(&self) -> MutexGuard<'_, HashMap<RunnerId, Timestamp>> {
        self.written_at.lock().expect("nothing panics under this lock")
    }
}
