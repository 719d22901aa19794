//! What jobs report when they are asked: parked polls, for `GET /health` and as a gauge.

use std::sync::Arc;

use pilotlight_wire::warm_start::Health;

use crate::capability::Status;
use crate::jobs::JobService;
use crate::jobs::metrics::JobMetrics;

/// The counts of the job service.
#[derive(Debug)]
pub(super) struct JobsStatus {
    jobs: Arc<JobService>,
    metrics: JobMetrics,
}

impl JobsStatus {
    pub(super) const fn new(jobs: Arc<JobService>, metrics: JobMetrics) -> Self {
        Self { jobs, metrics }
    }
}

impl Status for JobsStatus {
    fn add_to_health(&self, health: &mut Health) {
        health.waiting_for_jobs = self.jobs.parked_poll_count();
    }

    fn set_gauges(&self) {
        self.metrics.set_parked_polls(self.jobs.parked_poll_count());
    }
}
