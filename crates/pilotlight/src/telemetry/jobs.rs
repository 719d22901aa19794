//! What is counted of jobs, and how many wait.

use std::sync::atomic::AtomicU64;

use pilotlight_core::delivery::{Delivery, OfferOutcome};
use pilotlight_core::job::{Change, Waiting};
use pilotlight_core::job_stats::JobOutcome;
use pilotlight_store::Pruned;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::{Registry, Unit};

use super::metrics::{Count, Level, count, family, labelled, level};

/// Counters and levels of jobs; clones share them.
#[derive(Debug, Clone)]
pub struct JobMetrics {
    /// Submissions that there was no room for.
    pub refused: Count,
    /// Results that are not valid any more.
    pub expired: Count,
    /// Jobs that were acknowledged and never read.
    pub unread: Count,
    /// Webhooks that were heard.
    pub hooks_heard: Count,
    /// Tries of webhooks in vain.
    pub hooks_failed: Count,
    /// Webhooks that were never heard.
    pub hooks_given_up: Count,
    /// Webhooks of types that have none configured any more.
    pub hooks_dropped: Count,
    waiting: Level,
    waiting_bytes: Level,
    acknowledged: Count,
    unconfirmed: Count,
    void: Count,
    completed: Count,
    failed: Count,
    new: Count,
    joined: Count,
    cached: Count,
    saved: Counter<f64, AtomicU64>,
    requeued: Count,
    pruned_jobs: Count,
    pruned_bytes: Count,
    pruned_runners: Count,
}

impl JobMetrics {
    /// All at zero, shown by `of`.
    pub(super) fn register(of: &mut Registry) -> Self {
        let submissions = family(of, "jobs_submitted", "Submissions of jobs, by what they became");
        let saved = Counter::default();
        let help =
            "Execution time that was not spent again: callers were answered from the cache, or joined a twin";
        of.register_with_unit("jobs_saved", help, Unit::Seconds, saved.clone());
        let dispatches =
            family(of, "jobs_dispatched", "Jobs sent to waiting runners, by what became of that");
        let hooks = family(of, "webhooks", "Tries of webhooks, by what became of them");
        let ends = family(of, "jobs_ended", "Jobs that ended, and results that are not valid any more");
        Self {
            new: labelled(&submissions, "outcome", "new"),
            joined: labelled(&submissions, "outcome", "joined"),
            cached: labelled(&submissions, "outcome", "cached"),
            refused: labelled(&submissions, "outcome", "refused"),
            waiting: level(of, "jobs_waiting", "Jobs that wait for runners, of all instances on the store"),
            waiting_bytes: level(
                of,
                "jobs_waiting_bytes",
                "Bytes of parameters and consoles of jobs that wait, of all instances on the store",
            ),
            saved,
            acknowledged: labelled(&dispatches, "delivery", "acknowledged"),
            unconfirmed: labelled(&dispatches, "delivery", "unconfirmed"),
            void: labelled(&dispatches, "delivery", "void"),
            completed: labelled(&ends, "outcome", "completed"),
            failed: labelled(&ends, "outcome", "failed"),
            expired: labelled(&ends, "outcome", "expired"),
            hooks_heard: labelled(&hooks, "outcome", "heard"),
            hooks_failed: labelled(&hooks, "outcome", "failed"),
            hooks_given_up: labelled(&hooks, "outcome", "given_up"),
            hooks_dropped: labelled(&hooks, "outcome", "dropped"),
            unread: count(
                of,
                "jobs_unread",
                "Jobs acknowledged by the runner's kernel and never read by the runner",
            ),
            requeued: count(
                of,
                "jobs_requeued",
                "Jobs queued again: their runner fell silent or did not start",
            ),
            pruned_jobs: count(of, "jobs_pruned", "Ended jobs that retention forgot"),
            pruned_bytes: count(of, "jobs_pruned_bytes", "Bytes that retention freed"),
            pruned_runners: count(of, "jobs_runners_pruned", "Registered runners that retention forgot"),
        }
    }

    /// So much waits now.
    pub fn waits(&self, waiting: Waiting) {
        self.waiting.set(waiting.jobs);
        self.waiting_bytes.set(waiting.bytes);
    }

    /// A dispatch ended.
    pub fn dispatched(&self, answer: OfferOutcome) {
        match answer {
            OfferOutcome::Warm(Delivery::Unconfirmed) => self.unconfirmed.inc(),
            OfferOutcome::Warm(Delivery::Acknowledged | Delivery::Unread) => self.acknowledged.inc(),
            OfferOutcome::Cold => self.void.inc(),
        };
    }

    /// A submission was taken, or a job ended.
    pub fn happened(&self, happened: JobOutcome) {
        match happened {
            JobOutcome::New => self.new.inc(),
            JobOutcome::Joined => self.joined.inc(),
            JobOutcome::Cached(_) => self.cached.inc(),
            JobOutcome::Completed(_) => self.completed.inc(),
            JobOutcome::Failed => self.failed.inc(),
        };
        if !happened.saved().is_zero() {
            self.saved.inc_by(happened.saved().as_secs_f64());
        }
    }

    /// Time has passed for a job.
    pub fn swept(&self, change: Change) {
        if change == Change::Queued {
            self.requeued.inc();
        }
    }

    /// Retention was looked after.
    pub fn pruned(&self, pruned: Pruned) {
        self.pruned_jobs.inc_by(pruned.jobs);
        self.pruned_bytes.inc_by(pruned.bytes);
    }

    /// The same of runners.
    pub fn runners_pruned(&self, runners: u64) {
        self.pruned_runners.inc_by(runners);
    }
}
