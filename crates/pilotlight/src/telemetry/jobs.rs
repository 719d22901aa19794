//! What is counted of jobs, and how many wait.

use pilotlight_core::delivery::{Answer, Delivery};
use pilotlight_core::job::{Change, Waiting};
use pilotlight_store::Pruned;
use prometheus_client::registry::Registry;

use super::metrics::{Count, Level, count, family, labelled, level};

/// Counters and levels of jobs; clones share them.
#[derive(Debug, Clone)]
pub struct JobMetrics {
    /// Submissions that became a job.
    pub new: Count,
    /// Submissions that joined a twin under way.
    pub joined: Count,
    /// Submissions that a known end answered.
    pub cached: Count,
    /// Submissions that there was no room for.
    pub refused: Count,
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
    expired: Count,
    requeued: Count,
    pruned_jobs: Count,
    pruned_bytes: Count,
    pruned_runners: Count,
}

impl JobMetrics {
    /// All at zero, shown by `of`.
    pub(super) fn register(of: &mut Registry) -> Self {
        let submissions = family(of, "jobs_submitted", "Submissions of jobs, by what they became");
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
    pub fn dispatched(&self, answer: Answer) {
        match answer {
            Answer::Warm(Delivery::Unconfirmed) => self.unconfirmed.inc(),
            Answer::Warm(Delivery::Acknowledged | Delivery::Unread) => self.acknowledged.inc(),
            Answer::Cold => self.void.inc(),
        };
    }

    /// A job ended, or its result did.
    pub fn ended(&self, change: Change) {
        match change {
            Change::Completed => _ = self.completed.inc(),
            Change::Failed => _ = self.failed.inc(),
            Change::Expired => _ = self.expired.inc(),
            Change::Nothing
            | Change::Dispatched
            | Change::Claimed
            | Change::Heard
            | Change::Queued
            | Change::Left => {}
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
