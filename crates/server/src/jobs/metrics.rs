//! The metrics of jobs: counters of what happened to them, and gauges of how many wait.

use std::sync::atomic::AtomicU64;

use pilotlight_core::delivery::{Delivery, OfferOutcome};
use pilotlight_core::job::{QueueUsage, Transition};
use pilotlight_core::job_stats::JobOutcome;
use pilotlight_store::PruneStats;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::{Registry, Unit};

use crate::telemetry::job_span::JobSpanSender;
use crate::telemetry::metrics::{Count, UintGauge, count, family, gauge, labelled};

/// Where the job service reports what happens.
#[derive(Debug)]
pub(crate) struct JobTelemetry {
    /// The counters.
    pub metrics: JobMetrics,
    /// The spans.
    pub spans: JobSpanSender,
}

/// Counters and gauges of jobs; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct JobMetrics {
    /// Submissions refused because too many jobs wait.
    pub refused: Count,
    /// Results that expired.
    pub expired: Count,
    /// Jobs that the runner's kernel acknowledged, but the runner never read.
    pub unread: Count,
    /// Webhooks that their receiver accepted. The metric's label value is `heard`.
    pub webhooks_delivered: Count,
    /// Delivery attempts of webhooks that failed.
    pub failed_webhook_attempts: Count,
    /// Webhooks given up after the last attempt.
    pub abandoned_webhooks: Count,
    /// Webhooks dropped because their job type no longer has a webhook configured.
    pub dropped_webhooks: Count,
    parked_polls: UintGauge,
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
    /// Registers the metrics, all at zero.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let submissions = family(registry, "jobs_submitted", "Submissions of jobs by outcome");
        let saved = Counter::default();
        let help =
            "Execution time saved, because callers got a cached result or joined an equal job under way";
        registry.register_with_unit("jobs_saved", help, Unit::Seconds, saved.clone());
        let dispatches =
            family(registry, "jobs_dispatched", "Jobs dispatched to waiting runners, by proof of delivery");
        let webhooks = family(registry, "webhooks", "Webhook delivery attempts by outcome");
        let ended = family(registry, "jobs_ended", "Jobs that ended and results that expired, by outcome");
        Self {
            new: labelled(&submissions, "outcome", "new"),
            joined: labelled(&submissions, "outcome", "joined"),
            cached: labelled(&submissions, "outcome", "cached"),
            refused: labelled(&submissions, "outcome", "refused"),
            parked_polls: gauge(registry, "jobs_runners_waiting", "Parked polls for jobs"),
            waiting: gauge(
                registry,
                "jobs_waiting",
                "Jobs that wait for a runner, of all instances that share the store",
            ),
            waiting_bytes: gauge(
                registry,
                "jobs_waiting_bytes",
                "Bytes of parameters and console output of jobs that wait, of all instances that share the store",
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
                "Jobs that the runner's kernel acknowledged, but the runner never read",
            ),
            requeued: count(
                registry,
                "jobs_requeued",
                "Jobs queued again, because their runner sent no heartbeat or did not start them",
            ),
            pruned_jobs: count(registry, "jobs_pruned", "Ended jobs that retention deleted"),
            pruned_bytes: count(registry, "jobs_pruned_bytes", "Bytes that retention freed"),
            pruned_runners: count(
                registry,
                "jobs_runners_pruned",
                "Registered runners that retention deleted",
            ),
        }
    }

    /// Sets the gauge of parked polls.
    pub(super) fn set_parked_polls(&self, polls: usize) {
        self.parked_polls.set(polls as u64);
    }

    /// Sets the gauges of waiting jobs.
    pub(crate) fn set_backlog(&self, waiting: QueueUsage) {
        self.waiting.set(waiting.jobs);
        self.waiting_bytes.set(waiting.bytes);
    }

    /// Counts a dispatch of a job by its outcome.
    pub(crate) fn record_dispatch(&self, answer: OfferOutcome) {
        match answer {
            OfferOutcome::Warm(Delivery::Unconfirmed) => self.unconfirmed.inc(),
            OfferOutcome::Warm(Delivery::Acknowledged | Delivery::Unread) => self.acknowledged.inc(),
            OfferOutcome::Cold => self.undelivered.inc(),
        };
    }

    /// Counts an accepted submission or an ended job.
    pub(crate) fn record_outcome(&self, outcome: JobOutcome) {
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

    /// Counts a transition that happened because a deadline of a job passed.
    pub(crate) fn record_sweep(&self, transition: Transition) {
        if transition == Transition::Queued {
            self.requeued.inc();
        }
    }

    /// Counts the jobs and bytes that retention deleted.
    pub(crate) fn record_pruned(&self, pruned: PruneStats) {
        self.pruned_jobs.inc_by(pruned.jobs);
        self.pruned_bytes.inc_by(pruned.bytes);
    }

    /// Counts the runners that retention deleted.
    pub(crate) fn record_pruned_runners(&self, runners: u64) {
        self.pruned_runners.inc_by(runners);
    }
}
