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

use super::driver::Jobs;
use super::watching::Seen;

/// What is kept for a short while only is looked after so often in that while.
const LOOKS_WHILE_KEPT: u32 = 10;

/// After a nudge, others that come soon after are waited for.
const NUDGES_WITHIN: Duration = Duration::from_millis(5);

/// A wall clock that runs ahead of the other by so much was set, or the machine slept.
const LEAP: Duration = Duration::from_secs(5);

/// Since when runners can be heard without a break.
struct Listening {
    since: Timestamp,
    looked_at: (Moment, Timestamp),
}

impl Listening {
    fn from_now(jobs: &Jobs) -> Self {
        let now = jobs.now();
        Self { since: now, looked_at: (jobs.clock.now(), now) }
    }

    /// Nobody is silent who was not listened to: while the store did not take what was heard, or the machine slept.
    fn go_on(&mut self, jobs: &Jobs, is_well: bool) {
        let (clock, wall) = self.looked_at;
        let now = (jobs.clock.now(), jobs.now());
        if !is_well || now.1.since(wall) > now.0.since(clock) + LEAP {
            self.since = now.1;
        }
        self.looked_at = now;
    }
}

impl Jobs {
    /// Looks for jobs that are due, and for those whose time has come, until dropped.
    pub async fn keep(self: Arc<Self>) {
        let mut listening = Listening::from_now(&self);
        let mut is_well = true;
        loop {
            listening.go_on(&self, is_well);
            let looked = self.look(listening.since).await;
            if let (Err(error), true) = (&looked, is_well) {
                tracing::warn!(%error, "failed to look after jobs; trying on");
            }
            is_well = looked.is_ok();
            let next = looked.ok().flatten().map(|next| next.since(self.now()));
            let wait = next.unwrap_or(SWEEP_INTERVAL).clamp(NUDGES_WITHIN, SWEEP_INTERVAL);
            if timeout(wait, self.nudge.notified()).await.is_ok() {
                sleep(NUDGES_WITHIN).await;
            }
        }
    }

    /// Returns when the next delayed job's time comes.
    async fn look(self: &Arc<Self>, listening_since: Timestamp) -> Result<Option<Timestamp>, Error> {
        while self.sweep(listening_since).await? {}
        let token = self.desk.line().backlog_token();
        let backlog = self.store.backlog(self.now()).await?;
        self.metrics.set_backlog(backlog.usage);
        let types = {
            let mut line = self.desk.line();
            line.set_backlog(token, backlog.ready);
            line.ready_types()
        };
        self.send_for(&types);
        Ok(backlog.next_at)
    }

    /// Says whether there may be more.
    async fn sweep(self: &Arc<Self>, listening_since: Timestamp) -> Result<bool, Error> {
        let changed = self.store.sweep(SWEEP_BATCH, listening_since, self.now()).await?;
        for (job, transition) in &changed {
            self.metrics.record_sweep(*transition);
            self.after(*transition, job);
        }
        Ok(changed.len() == SWEEP_BATCH)
    }

    /// Forgets what need not be kept, until dropped.
    pub async fn prune(self: Arc<Self>) {
        loop {
            sleep(PRUNE_INTERVAL.min(self.settings.retention.keep_for / LOOKS_WHILE_KEPT)).await;
            self.heard.keep(self.now());
            if let Err(error) = self.prune_all().await {
                tracing::warn!(%error, "failed to forget old jobs; trying on");
            }
            if let Err(error) = self.forget_runners().await {
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
    async fn forget_runners(&self) -> Result<(), Error> {
        let before = self.now().before(self.settings.retention.keep_for.max(MIN_RUNNER_RETENTION));
        loop {
            let forgotten = self.store.prune_runners(before, PRUNE_BATCH).await?;
            self.metrics.record_pruned_runners(forgotten);
            if forgotten < PRUNE_BATCH as u64 {
                return Ok(());
            }
        }
    }

    /// Hears what other instances on the same store did, until dropped.
    pub async fn hear(self: Arc<Self>) {
        loop {
            match self.store.next_notification().await {
                StoreNotification::Ready(types) => {
                    types.iter().for_each(|job_type| self.ready(job_type));
                    // There may be more than one of each.
                    self.nudge.notify_one();
                }
                StoreNotification::Changed(ids) => {
                    ids.into_iter().for_each(|id| self.watching.tell(id, Seen::Ended))
                }
                StoreNotification::Resync => {
                    self.watching.tell_all();
                    self.nudge.notify_one();
                }
            }
        }
    }

    /// The service stops: whoever waits is closed without a byte, and what is under way is followed to its end.
    pub fn drain(&self) -> usize {
        self.stopping.cancel();
        self.watching.tell_all();
        self.desk.tasks.close();
        self.desk.line().drain().len()
    }

    /// Waits for what is under way.
    pub async fn settled(&self) {
        self.desk.tasks.wait().await;
    }
}
