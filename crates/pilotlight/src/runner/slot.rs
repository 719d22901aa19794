//! One of a runner's slots: waits for a job, executes it, reports, and comes back for the next.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::limits::{MAX_RUNNER_BACKOFF, RUNNER_FINAL_REPORT_TIMEOUT, RUNNER_POLL_TIMEOUT};
use pilotlight_core::retry;
use pilotlight_wire::runner::NextJob;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::crew::Stop;
use super::guards::Guards;
use super::kept::{leave, one_is_unfit};
use super::settings::{Keeping, Settings};
use super::turn::Kept;
use super::voice::{Done, Voice};
use crate::client::Client;

/// The pause after the first poll that failed; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A slot. Its runner drops it when it is told to end at once.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) settings: Arc<Settings>,
    pub(super) client: Client,
    /// What the runner sends as its name.
    pub(super) runner: Arc<str>,
    pub(super) guards: Arc<Guards>,
    pub(super) stop: Stop,
    /// By the type of their jobs.
    pub(super) kept: HashMap<String, Kept>,
    /// Types whose last process ended before it did a job: the next one comes with the next job.
    pub(super) cold: HashSet<String>,
    /// Kept processes that were replaced and have not ended yet.
    pub(super) leaving: JoinSet<()>,
}

impl Slot {
    /// Works until the runner stops.
    pub(super) async fn work(mut self) {
        let types: Vec<_> = self.settings.kinds.iter().map(|kind| kind.name.clone()).collect();
        let mut failures = 0;
        loop {
            while self.leaving.try_join_next().is_some() {}
            self.warm_up().await;
            let asked = tokio::select! {
                () = self.stop.asked() => break,
                () = one_is_unfit(&mut self.kept, self.settings.keeping) => continue,
                asked = self.client.next(&self.runner, &types, RUNNER_POLL_TIMEOUT) => asked,
            };
            match asked {
                Ok(job) => {
                    failures = 0;
                    if let Some(job) = job {
                        self.serve(&job).await;
                    }
                }
                Err(failure) => {
                    failures += 1;
                    // A service that restarts closes the connection once.
                    if failures == 2 {
                        tracing::warn!("failed to {failure}; trying on");
                    }
                    let pause = retry::backoff(FIRST_PAUSE, failures).min(MAX_RUNNER_BACKOFF);
                    _ = timeout(pause, self.stop.asked()).await;
                }
            }
        }
        for (_, kept) in self.kept.drain() {
            self.leaving.spawn(leave(kept, self.settings.kill_after));
        }
        while self.leaving.join_next().await.is_some() {}
    }

    async fn serve(&mut self, job: &NextJob) {
        let (client, runner) = (self.client.clone(), Arc::clone(&self.runner));
        let (voice, stop) = (Voice::new(&client, &runner, job), self.stop.clone());
        if !voice.start(&stop).await {
            return;
        }
        let executing = async {
            let done = self.execute(job, &voice).await;
            voice.end();
            done
        };
        let mut beating = std::pin::pin!(voice.beat());
        let mut executing = std::pin::pin!(executing);
        let mut beats = true;
        let done = loop {
            tokio::select! {
                done = &mut executing => break done,
                () = &mut beating, if beats => beats = false,
            }
        };
        // A piece of console on its way comes before the report, if it comes at all.
        if beats {
            _ = timeout(RUNNER_FINAL_REPORT_TIMEOUT, beating).await;
        }
        voice.report(done, &stop).await;
    }

    async fn execute(&mut self, job: &NextJob, voice: &Voice<'_>) -> Done {
        let settings = Arc::clone(&self.settings);
        let Some(kind) = settings.kinds.iter().find(|kind| kind.name == job.job_type) else {
            return Done::Failed("this runner has no command for the type".to_owned());
        };
        match settings.keeping {
            Keeping::Fresh => self.once(kind, job, voice).await,
            Keeping::Kept(_) => self.by_kept(kind, job, voice).await,
        }
    }

    /// What every command finds in its environment.
    pub(super) fn environment(&self) -> impl Iterator<Item = (OsString, OsString)> {
        self.settings.environment.iter().cloned()
    }
}
