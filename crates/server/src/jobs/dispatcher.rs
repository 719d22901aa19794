//! The parked polls for jobs, which `core::job_matcher` matches with ready jobs, and the dispatches under way. No code
//! waits while it has the lock.

use std::sync::{Mutex, MutexGuard};

use pilotlight_core::ids::JobType;
use pilotlight_core::job_matcher::{JobMatcher, Match};
use pilotlight_core::pool::Order;
use pilotlight_net::clock::Clock;
use tokio_util::task::TaskTracker;

use crate::jobs::poll_handle::JobPollHandle;
use crate::telemetry::log_throttle::LogThrottle;

/// The parked polls, and the dispatches under way.
#[derive(Debug)]
pub(super) struct JobDispatcher {
    matcher: Mutex<JobMatcher<JobPollHandle>>,
    pub(super) tasks: TaskTracker,
    /// Limits the log: each matched poll queries the store, also while the store fails.
    pub(super) error_log: LogThrottle,
}

impl JobDispatcher {
    pub(super) fn new(order: Order) -> Self {
        Self {
            matcher: Mutex::new(JobMatcher::new(order)),
            tasks: TaskTracker::new(),
            error_log: LogThrottle::new(),
        }
    }

    pub(super) fn matcher(&self) -> MutexGuard<'_, JobMatcher<JobPollHandle>> {
        self.matcher.lock().expect("nothing panics under this lock")
    }

    pub(super) fn next_match<'a>(
        &self,
        types: impl IntoIterator<Item = &'a JobType>,
        clock: Clock,
    ) -> Option<Match<JobPollHandle>> {
        let mut matcher = self.matcher();
        let now = clock.now();
        matcher.next_match(types, now)
    }
}
