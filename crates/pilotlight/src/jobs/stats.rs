//! What became of submissions and jobs, by time, for the dashboard. It knows what this instance did, not what others on
//! the same store did.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pilotlight_core::job_stats::{JobOutcome, JobStats};
use pilotlight_core::time::Moment;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct StatsRecorder {
    series: Mutex<JobStats>,
    revision: AtomicU64,
}

impl StatsRecorder {
    /// Something happened at that moment.
    pub(super) fn record(&self, at: Moment, outcome: JobOutcome) {
        self.series.lock().expect("nothing panics under this lock").add(at, outcome);
        self.bump_revision();
    }

    /// Something of a job changed.
    pub(super) fn bump_revision(&self) {
        self.revision.fetch_add(1, Ordering::Relaxed);
    }

    /// A number that grows with every change.
    pub(super) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// Reads what is counted; `read` must be short.
    pub(super) fn series<T>(&self, read: impl FnOnce(&JobStats) -> T) -> T {
        read(&self.series.lock().expect("nothing panics under this lock"))
    }
}
