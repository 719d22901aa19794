//! The reconcilers of jobs. Each does again and again what is safe to do twice: finds jobs whose time has come or whose
//! runner fell silent, forgets what need not be kept, and hears what other instances did.

use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::limits::{PRUNE_EVERY, SWEEP_AT_A_TIME, SWEEP_EVERY};
use pilotlight_core::time::Epoch;
use pilotlight_store::{Error, Told};
use tokio::time::{sleep, timeout};

use super::driver::Jobs;
use super::watching::Seen;

/// What is kept for a short while only is looked after so often in that while.
const LOOKS_WHILE_KEPT: u32 = 10;

/// After a nudge, others that come soon after are waited for.
const NUDGES_WITHIN: Duration = Duration::from_millis(5);

impl Jobs {
    /// Looks for jobs that are due, and for those whose time has come, until dropped.
    pub async fn keep(self: Arc<Self>) {
        let mut is_well = true;
        loop {
            let looked = self.look().await;
            if let (Err(error), true) = (&looked, is_well) {
                tracing::warn!(%error, "failed to look after jobs; trying on");
            }
            is_well = looked.is_ok();
            let wait =
                looked.ok().flatten().map_or(SWEEP_EVERY, |next| next.since(self.now()).min(SWEEP_EVERY));
            if timeout(wait, self.nudge.notified()).await.is_ok() {
                sleep(NUDGES_WITHIN).await;
            }
        }
    }

    /// Returns when the next delayed job's time comes.
    async fn look(self: &Arc<Self>) -> Result<Option<Epoch>, Error> {
        while self.sweep().await? {}
        let backlog = self.store.backlog(self.now()).await?;
        self.desk.line().backlog(backlog.ready);
        let types = self.desk.line().ready_types();
        self.send_for(&types);
        self.heard.keep(self.now());
        Ok(backlog.next_at)
    }

    /// Says whether there may be more.
    async fn sweep(self: &Arc<Self>) -> Result<bool, Error> {
        let changed = self.store.sweep(SWEEP_AT_A_TIME, self.now()).await?;
        for (job, change) in &changed {
            self.metrics.swept(*change);
            self.after(*change, job);
        }
        Ok(changed.len() == SWEEP_AT_A_TIME)
    }

    /// Forgets what need not be kept, until dropped.
    pub async fn prune(self: Arc<Self>) {
        loop {
            sleep(PRUNE_EVERY.min(self.settings.retention.keep_for / LOOKS_WHILE_KEPT)).await;
            if let Err(error) = self.prune_all().await {
                tracing::warn!(%error, "failed to forget old jobs; trying on");
            }
        }
    }

    async fn prune_all(&self) -> Result<(), Error> {
        loop {
            let pruned = self.store.prune(self.settings.retention, self.now()).await?;
            self.metrics.pruned(pruned);
            if pruned.jobs < self.settings.retention.at_most as u64 {
                return Ok(());
            }
        }
    }

    /// Hears what other instances on the same store did, until dropped.
    pub async fn hear(self: Arc<Self>) {
        loop {
            match self.store.told().await {
                Told::Ready(types) => types.iter().for_each(|job_type| self.ready(job_type)),
                Told::Changed(ids) => ids.into_iter().for_each(|id| self.watching.tell(id, Seen::Ended)),
                Told::Anything => {
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
