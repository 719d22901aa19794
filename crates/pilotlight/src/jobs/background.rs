//! The reconcilers of jobs. Each does again and again what is safe to do twice: finds jobs whose time has come or whose
//! runner fell silent, forgets what need not be kept, and hears what other instances did.

use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::limits::{
    MIN_RUNNER_RETENTION, PRUNE_BATCH, PRUNE_INTERVAL, SWEEP_BATCH, SWEEP_INTERVAL,
};
use pilotlight_core::time::{Moment, Timestamp};
use pilotlight_store::{Error, StoreNotification};
use tokio::time::{sleep, timeout};

use super::notifier::JobSignal;
use super::service::JobService;

/// What is kept for a short while only is looked after so often in that while.
const PRUNES_PER_RETENTION: u32 = 10;

/// After a nudge, others that come soon after are waited for.
const WAKE_DEBOUNCE: Duration = Duration::from_millis(5);

/// A wall clock that runs ahead of the other by so much was set, or the machine slept.
const CLOCK_JUMP: Duration = Duration::from_secs(5);

/// Since when runners can be heard without a break.
struct HeartbeatWindow {
    since: Timestamp,
    checked_at: (Moment, Timestamp),
}

impl HeartbeatWindow {
    fn from_now(jobs: &JobService) -> Self {
        let now = jobs.now();
        Self { since: now, checked_at: (jobs.clock.now(), now) }
    }

    /// Nobody is silent who was not listened to: while the store did not take what was heard, or the machine slept.
    fn update(&mut self, jobs: &JobService, was_ok: bool) {
        let (clock, wall) = self.checked_at;
        let now = (jobs.clock.now(), jobs.now());
        if !was_ok || now.1.since(wall) > now.0.since(clock) + CLOCK_JUMP {
            self.since = now.1;
        }
        self.checked_at = now;
    }
}

impl JobService {
    /// Looks for jobs that are due, and for those whose time has come, until dropped.
    pub async fn run_sweeps(self: Arc<Self>) {
        let mut heartbeat_window = HeartbeatWindow::from_now(&self);
        let mut was_ok = true;
        loop {
            heartbeat_window.update(&self, was_ok);
            let result = self.sweep_and_dispatch(heartbeat_window.since).await;
            if let (Err(error), true) = (&result, was_ok) {
                tracing::warn!(%error, "failed to look after jobs; trying on");
            }
            was_ok = result.is_ok();
            let next = result.ok().flatten().map(|next| next.since(self.now()));
            let wait = next.unwrap_or(SWEEP_INTERVAL).clamp(WAKE_DEBOUNCE, SWEEP_INTERVAL);
            if timeout(wait, self.sweep_wake.notified()).await.is_ok() {
                sleep(WAKE_DEBOUNCE).await;
            }
        }
    }

    /// Returns when the next delayed job's time comes.
    async fn sweep_and_dispatch(
        self: &Arc<Self>,
        heartbeats_since: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        while self.sweep(heartbeats_since).await? {}
        let token = self.dispatcher.matcher().backlog_token();
        let backlog = self.store.backlog(self.now()).await?;
        self.metrics.set_backlog(backlog.usage);
        let types = {
            let mut matcher = self.dispatcher.matcher();
            matcher.set_backlog(token, backlog.ready);
            matcher.ready_types()
        };
        self.dispatch_ready(&types);
        Ok(backlog.next_at)
    }

    /// Says whether there may be more.
    async fn sweep(self: &Arc<Self>, heartbeats_since: Timestamp) -> Result<bool, Error> {
        let changed = self.store.sweep(SWEEP_BATCH, heartbeats_since, self.now()).await?;
        for (job, transition) in &changed {
            self.metrics.record_sweep(*transition);
            self.on_transition(*transition, job);
        }
        Ok(changed.len() == SWEEP_BATCH)
    }

    /// Forgets what need not be kept, until dropped.
    pub async fn run_pruning(self: Arc<Self>) {
        loop {
            sleep(PRUNE_INTERVAL.min(self.settings.retention.keep_for / PRUNES_PER_RETENTION)).await;
            self.last_seen.prune(self.now());
            if let Err(error) = self.prune_all().await {
                tracing::warn!(%error, "failed to forget old jobs; trying on");
            }
            if let Err(error) = self.prune_runners().await {
                tracing::warn!(%error, "failed to forget old runners; trying on");
            }
        }
    }

    async fn prune_all(&self) -> Result<(), Error> {
        loop {
            let pruned = self.store.prune(self.settings.retention, self.now()).await?;
            self.metrics.record_pruned(pruned);
            if pruned.jobs < self.settings.retention.at_most as u64 {
                return Ok(());
            }
        }
    }

    /// A runner that a job names is kept as long as the job.
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

    /// Hears what other instances on the same store did, until dropped.
    pub async fn run_notifications(self: Arc<Self>) {
        loop {
            match self.store.next_notification().await {
                StoreNotification::Ready(types) => {
                    types.iter().for_each(|job_type| self.on_ready(job_type));
                    // There may be more than one of each.
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

    /// The service stops: whoever waits is closed without a byte, and what is under way is followed to its end.
    pub fn drain(&self) -> usize {
        self.stopping.cancel();
        self.notifier.notify_all();
        self.dispatcher.tasks.close();
        self.dispatcher.matcher().drain().len()
    }

    /// Waits for what is under way.
    pub async fn wait_idle(&self) {
        self.dispatcher.tasks.wait().await;
    }
}
