//! The phases of a runner that stops, and how workers wait for them.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

/// The phase of a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunnerPhase {
    /// The runner takes jobs.
    Running,
    /// The runner takes no new jobs and finishes running ones.
    Draining,
    /// The runner stops running jobs.
    Terminating,
}

/// Lets a worker wait for the runner's phases.
#[derive(Debug, Clone)]
pub(super) struct StopSignal(watch::Receiver<RunnerPhase>);

impl StopSignal {
    pub(super) const fn new(phase: watch::Receiver<RunnerPhase>) -> Self {
        Self(phase)
    }

    /// Waits until the runner must take no more jobs.
    pub(super) async fn wait_for_drain(&self) {
        self.wait_for_phase(RunnerPhase::Draining).await;
    }

    /// Waits until running jobs must be stopped, and for `longer` after that.
    pub(super) async fn wait_for_termination(&self, longer: Duration) {
        self.wait_for_phase(RunnerPhase::Terminating).await;
        sleep(longer).await;
    }

    async fn wait_for_phase(&self, phase: RunnerPhase) {
        // An error means that the runner was dropped, which ends every phase at once.
        _ = self.0.clone().wait_for(|now| *now >= phase).await;
    }
}
