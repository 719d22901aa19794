//! A runner: its registration, its workers (one per slot), and how it stops.
//!
//! It registers anew at each start. Running jobs are not affected by that, because a job belongs to a lease and not to
//! a runner.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pilotlight_client::{Client, ClientError};
use pilotlight_core::limits::MAX_RUNNER_BACKOFF;
use pilotlight_core::retry;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::reapers::Reapers;
use super::settings::Settings;
use super::stop_signal::{RunnerPhase, StopSignal};
use super::worker::Worker;

/// The pause after the first failed registration; each further failure doubles it, up to [`MAX_RUNNER_BACKOFF`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A running runner.
#[derive(Debug)]
pub struct Runner {
    phase: watch::Sender<RunnerPhase>,
    workers: JoinSet<()>,
}

impl Runner {
    /// Registers and starts to take jobs. Repeats the registration as long as the service cannot be reached.
    ///
    /// # Errors
    /// The service refuses the registration.
    pub async fn start(settings: Settings, client: Client) -> Result<Self, ClientError> {
        let settings = Arc::new(settings);
        let runner: Arc<str> = register(&settings, &client).await?.into();
        let reapers =
            Reapers::new().map(Arc::new).expect("every supported kernel lets a process adopt orphans");
        let (phase, stop) = watch::channel(RunnerPhase::Running);
        let stop = StopSignal::new(stop);
        let mut workers = JoinSet::new();
        for _ in 0..settings.workers {
            let worker = Worker {
                settings: Arc::clone(&settings),
                client: client.clone().with_retry_for(Duration::ZERO),
                runner: Arc::clone(&runner),
                reapers: Arc::clone(&reapers),
                stop: stop.clone(),
                warm_processes: HashMap::new(),
                cold_types: HashSet::new(),
                retiring: JoinSet::new(),
            };
            workers.spawn(worker.work());
        }
        Ok(Self { phase, workers })
    }

    /// Takes no more jobs. Jobs that still run after `grace` are stopped and reported as failed.
    pub async fn stop(mut self, grace: Duration) {
        _ = self.phase.send(RunnerPhase::Draining);
        if timeout(grace, self.wait_for_workers()).await.is_err() {
            _ = self.phase.send(RunnerPhase::Terminating);
            self.wait_for_workers().await;
        }
    }

    /// Waits until every worker has ended. Workers end only after the phase has changed.
    async fn wait_for_workers(&mut self) {
        while let Some(ended) = self.workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a slot of the runner ended unexpectedly; the others continue");
            }
        }
    }
}

async fn register(settings: &Settings, client: &Client) -> Result<String, ClientError> {
    let types: Vec<_> = settings.commands.iter().map(|job_command| job_command.name.clone()).collect();
    let mut failures = 0;
    loop {
        match client.register(&settings.name, &types).await {
            Ok(registered) => return Ok(registered.runner_id),
            Err(failure) if !failure.is_transient() => return Err(failure),
            Err(failure) => {
                failures += 1;
                if failures == 1 {
                    tracing::warn!("failed to {failure}; trying again");
                }
                sleep(retry::backoff(FIRST_PAUSE, failures).min(MAX_RUNNER_BACKOFF)).await;
            }
        }
    }
}
