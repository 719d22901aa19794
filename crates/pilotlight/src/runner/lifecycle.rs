//! A runner: its slots, and how it stops. It registers anew whenever it starts; the service forgets nothing by that, for a
//! job belongs to a lease.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::limits::MAX_RUNNER_BACKOFF;
use pilotlight_core::retry;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::reapers::Reapers;
use super::settings::Settings;
use super::worker::Worker;
use crate::client::{Client, ClientError};

/// The pause after the first registration that failed; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How far a runner is with stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunnerPhase {
    /// It takes jobs.
    Running,
    /// It finishes what it has.
    Draining,
    /// It ends what it has.
    Terminating,
}

/// A runner that works.
#[derive(Debug)]
pub struct Runner {
    phase: watch::Sender<RunnerPhase>,
    workers: JoinSet<()>,
}

/// What a slot knows of stopping.
#[derive(Debug, Clone)]
pub(super) struct StopSignal(watch::Receiver<RunnerPhase>);

impl StopSignal {
    /// Waits until no more jobs are to be taken.
    pub(super) async fn wait_for_drain(&self) {
        self.wait_for_phase(RunnerPhase::Draining).await;
    }

    /// Waits until what is under way is to be ended, and so much longer.
    pub(super) async fn wait_for_termination(&self, longer: Duration) {
        self.wait_for_phase(RunnerPhase::Terminating).await;
        sleep(longer).await;
    }

    async fn wait_for_phase(&self, phase: RunnerPhase) {
        // A runner that is dropped ends at once.
        _ = self.0.clone().wait_for(|now| *now >= phase).await;
    }
}

impl Runner {
    /// Registers, and starts to take jobs. It goes on trying as long as the service cannot be reached.
    ///
    /// # Errors
    /// The service refuses the runner.
    pub async fn start(settings: Settings, client: Client) -> Result<Self, ClientError> {
        let settings = Arc::new(settings);
        let runner: Arc<str> = register(&settings, &client).await?.into();
        let reapers = Reapers::new().map(Arc::new).expect("every kernel that runs this takes in orphans");
        let (phase, stop) = watch::channel(RunnerPhase::Running);
        let mut workers = JoinSet::new();
        for _ in 0..settings.workers {
            let worker = Worker {
                settings: Arc::clone(&settings),
                client: client.clone().with_retry_for(Duration::ZERO),
                runner: Arc::clone(&runner),
                reapers: Arc::clone(&reapers),
                stop: StopSignal(stop.clone()),
                warm_processes: HashMap::new(),
                cold_types: HashSet::new(),
                retiring: JoinSet::new(),
            };
            workers.spawn(worker.work());
        }
        Ok(Self { phase, workers })
    }

    /// Takes no more jobs; ends what is not done after `grace`, and reports it.
    pub async fn stop(mut self, grace: Duration) {
        _ = self.phase.send(RunnerPhase::Draining);
        if timeout(grace, self.wait_for_workers()).await.is_err() {
            _ = self.phase.send(RunnerPhase::Terminating);
            self.wait_for_workers().await;
        }
    }

    /// Waits until every slot has ended, which they do when they are told to.
    async fn wait_for_workers(&mut self) {
        while let Some(ended) = self.workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a slot of the runner ended unexpectedly; the others go on");
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
                    tracing::warn!("failed to {failure}; trying on");
                }
                sleep(retry::backoff(FIRST_PAUSE, failures).min(MAX_RUNNER_BACKOFF)).await;
            }
        }
    }
}
