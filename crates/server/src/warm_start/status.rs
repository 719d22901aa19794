//! What warm starts report when they are asked: parked polls and active runs, for `GET /health` and as gauges.

use std::sync::Arc;

use pilotlight_wire::warm_start::Health;

use crate::capability::Status;
use crate::warm_start::dispatcher::Dispatcher;
use crate::warm_start::metrics::WarmStartMetrics;

/// The counts of the dispatcher.
#[derive(Debug)]
pub(super) struct WarmStartStatus {
    dispatcher: Arc<Dispatcher>,
    metrics: Arc<WarmStartMetrics>,
}

impl WarmStartStatus {
    pub(super) const fn new(dispatcher: Arc<Dispatcher>, metrics: Arc<WarmStartMetrics>) -> Self {
        Self { dispatcher, metrics }
    }
}

impl Status for WarmStartStatus {
    fn add_to_health(&self, health: &mut Health) {
        (health.waiting_runners, health.deployments, health.executing_runners) = self
            .dispatcher
            .read(|view| (view.parked_count(), view.deployment_count(), view.active_runs().len()));
    }

    fn set_gauges(&self) {
        let (parked, active) = self.dispatcher.read(|view| (view.parked_count(), view.active_runs().len()));
        self.metrics.set_gauges(parked, active);
    }
}
