//! A worker (one slot of a runner): polls for a job, executes it, reports its end, and polls again.

mod one_shot;
mod warm_processes;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::limits::{MAX_RUNNER_BACKOFF, RUNNER_FINAL_REPORT_TIMEOUT, RUNNER_POLL_TIMEOUT};
use pilotlight_core::retry;
use pilotlight_wire::runner::NextJob;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::exchange::WarmProcess;
use super::job_reporter::{ExecutionOutcome, JobReporter};
use super::reapers::Reapers;
use super::settings::{ProcessMode, Settings};
use super::stop_signal::StopSignal;
use pilotlight_client::Client;
use warm_processes::{retire, wait_until_one_unusable};

/// The pause after the first failed poll; each further failure doubles it, up to [`MAX_RUNNER_BACKOFF`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A worker. The runner drops it to end at once.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) settings: Arc<Settings>,
    pub(super) client: Client,
    /// The runner's id, given by the service at registration.
    pub(super) runner: Arc<str>,
    pub(super) reapers: Arc<Reapers>,
    pub(super) stop: StopSignal,
    /// Idle warm processes by job type.
    pub(super) warm_processes: HashMap<String, WarmProcess>,
    /// Job types whose last process ended before it executed a job: the next process is started with the next job.
    pub(super) cold_types: HashSet<String>,
    /// Warm processes that were replaced and have not exited yet.
    pub(super) retiring: JoinSet<()>,
}

impl Worker {
    /// Takes and executes jobs until the runner stops.
    pub(super) async fn work(mut self) {
        let types: Vec<_> =
            self.settings.commands.iter().map(|job_command| job_command.name.clone()).collect();
        let mut failures = 0;
        loop {
            while self.retiring.try_join_next().is_some() {}
            self.warm_up().await;
            let polled = tokio::select! {
                () = self.stop.wait_for_drain() => break,
                () = wait_until_one_unusable(&mut self.warm_processes, self.settings.process_mode) => continue,
                polled = self.client.next_job(&self.runner, &types, RUNNER_POLL_TIMEOUT) => polled,
            };
            match polled {
                Ok(job) => {
                    failures = 0;
                    if let Some(job) = job {
                        self.handle_job(&job).await;
                    }
                }
                Err(failure) => {
                    failures += 1;
                    // The first failure is not logged: a service that restarts closes the connection once.
                    if failures == 2 {
                        tracing::warn!("failed to {failure}; trying again");
                    }
                    let pause = retry::backoff(FIRST_PAUSE, failures).min(MAX_RUNNER_BACKOFF);
                    _ = timeout(pause, self.stop.wait_for_drain()).await;
                }
            }
        }
        for (_, process) in self.warm_processes.drain() {
            self.retiring.spawn(retire(process, self.settings.kill_after));
        }
        while self.retiring.join_next().await.is_some() {}
    }

    async fn handle_job(&mut self, job: &NextJob) {
        let (client, runner) = (self.client.clone(), Arc::clone(&self.runner));
        let (job_reporter, stop) = (JobReporter::new(&client, &runner, job), self.stop.clone());
        if !job_reporter.start(&stop).await {
            return;
        }
        let execution = async {
            let outcome = self.execute(job, &job_reporter).await;
            job_reporter.on_output_end();
            outcome
        };
        let mut heartbeats = std::pin::pin!(job_reporter.send_heartbeats());
        let mut execution = std::pin::pin!(execution);
        let mut is_heartbeating = true;
        let outcome = loop {
            tokio::select! {
                outcome = &mut execution => break outcome,
                () = &mut heartbeats, if is_heartbeating => is_heartbeating = false,
            }
        };
        // Wait for a heartbeat under way, so that its console output reaches the service before the final report.
        if is_heartbeating {
            _ = timeout(RUNNER_FINAL_REPORT_TIMEOUT, heartbeats).await;
        }
        job_reporter.report(outcome, &stop).await;
    }

    async fn execute(&mut self, job: &NextJob, job_reporter: &JobReporter<'_>) -> ExecutionOutcome {
        let settings = Arc::clone(&self.settings);
        let Some(job_command) = settings.commands.iter().find(|job_command| job_command.name == job.job_type)
        else {
            return ExecutionOutcome::Failed("this runner has no command for the job's type".to_owned());
        };
        match settings.process_mode {
            ProcessMode::OneShot => self.run_one_shot(job_command, job, job_reporter).await,
            ProcessMode::Warm(_) => self.run_warm(job_command, job, job_reporter).await,
        }
    }

    /// The environment of every command.
    fn environment(&self) -> impl Iterator<Item = (OsString, OsString)> {
        self.settings.environment.iter().cloned()
    }
}
