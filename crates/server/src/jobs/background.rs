//! The reconcilers of jobs: dispatch jobs that are due, end the leases of silent runners, delete old jobs and
//! runners, and apply notifications from other instances. Each runs periodically and is safe to repeat.

use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::heartbeat_window::{HeartbeatWindow, StoreHealth};
use pilotlight_core::limits::{
    MIN_RUNNER_RETENTION, PRUNE_BATCH, PRUNE_INTERVAL, SWEEP_BATCH, SWEEP_INTERVAL,
};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Error, StoreNotification};
use tokio::time::{sleep, timeout};

use crate::background::TaskResults;
use crate::jobs::notifier::JobSignal;
use crate::jobs::service::JobService;

/// With a short retention, pruning runs this many times per retention period.
const PRUNES_PER_RETENTION: u32 = 10;

/// The pause after a wake-up, so that wake-ups in quick succession share one sweep.
const WAKE_DEBOUNCE: Duration = Duration::from_millis(5);

/// What a sweep found.
struct Sweep {
    /// How many jobs it changed.
    changed: usize,
    /// When the next delayed job is due.
    next_at: Option<Timestamp>,
}

impl JobService {
    /// Sweeps jobs until dropped: dispatches jobs that are due, and ends leases and delays that have run out.
    pub(crate) async fn run_sweeps(self: Arc<Self>, results: TaskResults) {
        let mut heartbeat_window = HeartbeatWindow::open(self.clock.now(), self.now());
        let mut was_ok = true;
        loop {
            let store = if was_ok { StoreHealth::Writable } else { StoreHealth::Failed };
            heartbeat_window.update(self.clock.now(), self.now(), store);
            let result = self.sweep_and_dispatch(heartbeat_window.since()).await;
            if let (Err(error), true) = (&result, was_ok) {
                tracing::warn!(%error, "failed to sweep jobs; retrying");
            }
            was_ok = result.is_ok();
            results.record(result.as_ref().map(|sweep| format!("{} jobs changed", sweep.changed)));
            let next = result.ok().and_then(|sweep| sweep.next_at).map(|next| next.since(self.now()));
            let wait = next.unwrap_or(SWEEP_INTERVAL).clamp(WAKE_DEBOUNCE, SWEEP_INTERVAL);
            if timeout(wait, self.sweep_wake.notified()).await.is_ok() {
                sleep(WAKE_DEBOUNCE).await;
            }
        }
    }

    /// One sweep, of as many batches as there are.
    async fn sweep_and_dispatch(self: &Arc<Self>, heartbeats_since: Timestamp) -> Result<Sweep, Error> {
        let mut changed = 0;
        loop {
            let batch = self.sweep(heartbeats_since).await?;
            changed += batch;
            if batch < SWEEP_BATCH {
                break;
            }
        }
        let token = self.dispatcher.matcher().backlog_token();
        let backlog = self.store.backlog(self.now()).await?;
        self.metrics.set_backlog(backlog.usage);
        let types = {
            let mut matcher = self.dispatcher.matcher();
            matcher.set_backlog(token, backlog.ready);
            matcher.ready_types()
        };
        self.dispatch_ready(&types);
        Ok(Sweep { changed, next_at: backlog.next_at })
    }

    /// One batch of a sweep. Returns how many jobs it changed.
    async fn sweep(self: &Arc<Self>, heartbeats_since: Timestamp) -> Result<usize, Error> {
        let changed = self.store.sweep(SWEEP_BATCH, heartbeats_since, self.now()).await?;
        for applied in &changed {
            self.metrics.record_sweep(applied.transition);
            self.on_applied(applied);
        }
        Ok(changed.len())
    }

    /// Deletes old jobs and runners, as the retention allows, until dropped.
    pub(crate) async fn run_pruning(self: Arc<Self>, results: TaskResults) {
        loop {
            sleep(PRUNE_INTERVAL.min(self.settings.retention.keep_for / PRUNES_PER_RETENTION)).await;
            self.last_seen.prune(self.now());
            let jobs = self.prune_all().await;
            results.record(jobs.as_ref().map(|jobs| format!("deleted {jobs} jobs")));
            if let Err(error) = jobs {
                tracing::warn!(%error, "failed to delete old jobs; retrying");
            }
            if let Err(error) = self.prune_runners().await {
                tracing::warn!(%error, "failed to delete old runners; retrying");
                results.record(Err::<String, _>(error));
            }
        }
    }

    /// Deletes old jobs. Returns how many.
    async fn prune_all(&self) -> Result<u64, Error> {
        let mut deleted = 0;
        loop {
            let pruned = self.store.prune(self.settings.retention, self.now()).await?;
            self.metrics.record_pruned(pruned);
            deleted += pruned.jobs;
            if pruned.jobs < self.settings.retention.at_most as u64 {
                return Ok(deleted);
            }
        }
    }

    /// Deletes runners that have not been seen for long. A runner is stored as long as a job names it.
    async fn prune_runners(&self) -> Result<(), Error> {
        let before = self.now().before(self.settings.retention.keep_for.max(MIN_RUNNER_RETENTION));
        loop {
            let pruned = self.store.prune_runners(before, PRUNE_BATCH).await?;
            self.metrics.record_pruned_runners(pruned);
            if pruned < PRUNE_BATCH as u64 {
                return Ok(());
            }
        }
    }

    /// Applies notifications from other instances on the same store, until dropped.
    pub(crate) async fn run_notifications(self: Arc<Self>, results: TaskResults) {
        loop {
            let notification = self.store.next_notification().await;
            results.succeeded("applied a notification");
            match notification {
                StoreNotification::Ready(types) => {
                    types.iter().for_each(|job_type| self.on_ready(job_type));
                    // There may be more than one job of each type.
                    self.sweep_wake.notify_one();
                }
                StoreNotification::Changed(ids) => {
                    ids.into_iter().for_each(|id| self.notifier.notify(id, JobSignal::Ended))
                }
                StoreNotification::Resync => {
                    self.notifier.notify_all();
                    self.sweep_wake.notify_one();
                }
            }
        }
    }

    /// Stops the service: closes the connections of parked polls without a byte, and lets dispatches under way
    /// finish. Returns how many polls there were.
    pub(crate) fn drain(&self) -> usize {
        self.stopping.cancel();
        self.notifier.notify_all();
        self.dispatcher.tasks.close();
        self.dispatcher.matcher().drain().len()
    }

    /// Waits until the dispatches under way have ended.
    pub(crate) async fn wait_idle(&self) {
        self.dispatcher.tasks.wait().await;
    }
}
