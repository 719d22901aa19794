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

use super::guards::Guards;
use super::settings::Settings;
use super::slot::Slot;
use crate::client::{Client, Failure};

/// The pause after the first registration that failed; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How far a runner is with stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It takes jobs.
    Working,
    /// It finishes what it has.
    Finishing,
    /// It ends what it has.
    Ending,
}

/// A runner that works.
#[derive(Debug)]
pub struct Crew {
    phase: watch::Sender<Phase>,
    slots: JoinSet<()>,
}

/// What a slot knows of stopping.
#[derive(Debug, Clone)]
pub(super) struct Stop(watch::Receiver<Phase>);

impl Stop {
    /// Waits until no more jobs are to be taken.
    pub(super) async fn asked(&self) {
        self.reaches(Phase::Finishing).await;
    }

    /// Waits until what is under way is to be ended, and so much longer.
    pub(super) async fn over(&self, longer: Duration) {
        self.reaches(Phase::Ending).await;
        sleep(longer).await;
    }

    async fn reaches(&self, phase: Phase) {
        // A runner that is dropped ends at once.
        _ = self.0.clone().wait_for(|now| *now >= phase).await;
    }
}

impl Crew {
    /// Registers, and starts to take jobs. It goes on trying as long as the service cannot be reached.
    ///
    /// # Errors
    /// The service refuses the runner.
    pub async fn start(settings: Settings, client: Client) -> Result<Self, Failure> {
        let settings = Arc::new(settings);
        let runner: Arc<str> = register(&settings, &client).await?.into();
        let guards = Guards::new().map(Arc::new).expect("every kernel that runs this takes in orphans");
        let (phase, stop) = watch::channel(Phase::Working);
        let mut slots = JoinSet::new();
        for _ in 0..settings.slots {
            let slot = Slot {
                settings: Arc::clone(&settings),
                client: client.clone().with_patience(Duration::ZERO),
                runner: Arc::clone(&runner),
                guards: Arc::clone(&guards),
                stop: Stop(stop.clone()),
                kept: HashMap::new(),
                cold: HashSet::new(),
                leaving: JoinSet::new(),
            };
            slots.spawn(slot.work());
        }
        Ok(Self { phase, slots })
    }

    /// Takes no more jobs; ends what is not done after `grace`, and reports it.
    pub async fn stop(mut self, grace: Duration) {
        _ = self.phase.send(Phase::Finishing);
        if timeout(grace, self.ended()).await.is_err() {
            _ = self.phase.send(Phase::Ending);
            self.ended().await;
        }
    }

    /// Waits until every slot has ended, which they do when they are told to.
    async fn ended(&mut self) {
        while let Some(ended) = self.slots.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a slot of the runner ended unexpectedly; the others go on");
            }
        }
    }
}

async fn register(settings: &Settings, client: &Client) -> Result<String, Failure> {
    let types: Vec<_> = settings.kinds.iter().map(|kind| kind.name.clone()).collect();
    let mut failures = 0;
    loop {
        match client.register(&settings.name, &types).await {
            Ok(registered) => return Ok(registered.runner_id),
            Err(failure) if !failure.is_passing() => return Err(failure),
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
