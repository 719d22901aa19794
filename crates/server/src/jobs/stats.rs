//! Counts job outcomes over time, for the dashboard. It covers this instance only, not others on the same store.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pilotlight_core::job_stats::{JobOutcome, JobStats};
use pilotlight_core::time::Moment;

/// The counts, and a revision for change detection.
#[derive(Debug, Default)]
pub(super) struct StatsRecorder {
    stats: Mutex<JobStats>,
    revision: AtomicU64,
}

impl StatsRecorder {
    /// Counts an outcome.
    pub(super) fn record(&self, at: Moment, outcome: JobOutcome) {
        self.stats.lock().expect("nothing panics under this lock").add(at, outcome);
        self.bump_revision();
    }

    /// Records a change that is not counted.
    pub(super) fn bump_revision(&self) {
        self.revision.fetch_add(1, Ordering::Relaxed);
    }

    /// A number that grows with every change.
    pub(super) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// Reads the counts; `read` must be short, because it runs under the lock.
    pub(super) fn read<T>(&self, read: impl FnOnce(&JobStats) -> T) -> T {
        read(&self.stats.lock().expect("nothing panics under this lock"))
    }
}
