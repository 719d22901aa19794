//! What is counted of jobs, and how many wait.

use std::sync::atomic::AtomicU64;

use pilotlight_core::delivery::{Delivery, OfferOutcome};
use pilotlight_core::job::{QueueUsage, Transition};
use pilotlight_core::job_stats::JobOutcome;
use pilotlight_store::PruneStats;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::{Registry, Unit};

use super::metrics::{Count, UintGauge, count, family, gauge, labelled};

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
    pub webhooks_delivered: Count,
    /// Tries of webhooks in vain.
    pub failed_webhook_attempts: Count,
    /// Webhooks that were never heard.
    pub abandoned_webhooks: Count,
    /// Webhooks of types that have none configured any more.
    pub dropped_webhooks: Count,
    waiting: UintGauge,
    waiting_bytes: UintGauge,
    acknowledged: Count,
    unconfirmed: Count,
    undelivered: Count,
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
    /// All at zero, shown by `registry`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let submissions = family(registry, "jobs_submitted", "Submissions of jobs, by what they became");
        let saved = Counter::default();
        let help =
            "Execution time that was not spent again: callers were answered from the cache, or joined a twin";
        registry.register_with_unit("jobs_saved", help, Unit::Seconds, saved.clone());
        let dispatches =
            family(registry, "jobs_dispatched", "Jobs sent to waiting runners, by what became of that");
        let webhooks = family(registry, "webhooks", "Tries of webhooks, by what became of them");
        let ended =
            family(registry, "jobs_ended", "Jobs that ended, and results that are not valid any more");
        Self {
            new: labelled(&submissions, "outcome", "new"),
            joined: labelled(&submissions, "outcome", "joined"),
            cached: labelled(&submissions, "outcome", "cached"),
            refused: labelled(&submissions, "outcome", "refused"),
            waiting: gauge(
                registry,
                "jobs_waiting",
                "Jobs that wait for runners, of all instances on the store",
            ),
            waiting_bytes: gauge(
                registry,
                "jobs_waiting_bytes",
                "Bytes of parameters and consoles of jobs that wait, of all instances on the store",
            ),
            saved,
            acknowledged: labelled(&dispatches, "delivery", "acknowledged"),
            unconfirmed: labelled(&dispatches, "delivery", "unconfirmed"),
            undelivered: labelled(&dispatches, "delivery", "void"),
            completed: labelled(&ended, "outcome", "completed"),
            failed: labelled(&ended, "outcome", "failed"),
            expired: labelled(&ended, "outcome", "expired"),
            webhooks_delivered: labelled(&webhooks, "outcome", "heard"),
            failed_webhook_attempts: labelled(&webhooks, "outcome", "failed"),
            abandoned_webhooks: labelled(&webhooks, "outcome", "given_up"),
            dropped_webhooks: labelled(&webhooks, "outcome", "dropped"),
            unread: count(
                registry,
                "jobs_unread",
                "Jobs acknowledged by the runner's kernel and never read by the runner",
            ),
            requeued: count(
                registry,
                "jobs_requeued",
                "Jobs queued again: their runner fell silent or did not start",
            ),
            pruned_jobs: count(registry, "jobs_pruned", "Ended jobs that retention forgot"),
            pruned_bytes: count(registry, "jobs_pruned_bytes", "Bytes that retention freed"),
            pruned_runners: count(
                registry,
                "jobs_runners_pruned",
                "Registered runners that retention forgot",
            ),
        }
    }

    /// So much waits now.
    pub fn set_backlog(&self, waiting: QueueUsage) {
        self.waiting.set(waiting.jobs);
        self.waiting_bytes.set(waiting.bytes);
    }

    /// A dispatch ended.
    pub fn record_dispatch(&self, answer: OfferOutcome) {
        match answer {
            OfferOutcome::Warm(Delivery::Unconfirmed) => self.unconfirmed.inc(),
            OfferOutcome::Warm(Delivery::Acknowledged | Delivery::Unread) => self.acknowledged.inc(),
            OfferOutcome::Cold => self.undelivered.inc(),
        };
    }

    /// A submission was taken, or a job ended.
    pub fn record_outcome(&self, outcome: JobOutcome) {
        match outcome {
            JobOutcome::New => self.new.inc(),
            JobOutcome::Joined => self.joined.inc(),
            JobOutcome::Cached(_) => self.cached.inc(),
            JobOutcome::Completed(_) => self.completed.inc(),
            JobOutcome::Failed => self.failed.inc(),
        };
        if !outcome.saved().is_zero() {
            self.saved.inc_by(outcome.saved().as_secs_f64());
        }
    }

    /// Time has passed for a job.
    pub fn record_sweep(&self, transition: Transition) {
        if transition == Transition::Queued {
            self.requeued.inc();
        }
    }

    /// Retention was looked after.
    pub fn record_pruned(&self, pruned: PruneStats) {
        self.pruned_jobs.inc_by(pruned.jobs);
        self.pruned_bytes.inc_by(pruned.bytes);
    }

    /// The same of runners.
    pub fn record_pruned_runners(&self, runners: u64) {
        self.pruned_runners.inc_by(runners);
    }
}
