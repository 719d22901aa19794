//! When runners were last heard of. Written at most once in a while for each: nobody needs it finer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use pilotlight_core::ids::RunnerId;
use pilotlight_core::limits::MAX_TRACKED_RUNNERS;
use pilotlight_core::time::Timestamp;

/// How old what is written may become while a runner goes on being heard of.
const WRITE_INTERVAL: Duration = Duration::from_secs(10);

/// The runners heard of lately, and when that was last written.
#[derive(Debug, Default)]
pub(super) struct LastSeen {
    written_at: Mutex<HashMap<RunnerId, Timestamp>>,
}

impl LastSeen {
    /// A runner was heard of. Says whether that is to be written.
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

    /// Forgets what is not needed any more.
    pub(super) fn prune(&self, now: Timestamp) {
        self.written_at().retain(|_, at| now.since(*at) < WRITE_INTERVAL);
    }

    fn written_at(&self) -> MutexGuard<'_, HashMap<RunnerId, Timestamp>> {
        self.written_at.lock().expect("nothing panics under this lock")
    }
}
