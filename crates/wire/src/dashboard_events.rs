//! What the dashboard's page is told as it happens: `GET /api/dashboard/events`, a stream of server-sent events. The
//! first is a `snapshot`, which replaces all that was told before; then come `update`s. Times are epoch milliseconds.

use std::sync::Arc;

use serde::Serialize;

use crate::dashboard::{Config, WarmStartStats};
use crate::jobs_admin;

/// Event `snapshot`: all of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// When this was read.
    pub now: u64,
    /// What does not change while the service runs.
    #[serde(flatten)]
    pub info: ServiceInfo,
    /// Counts.
    pub stats: WarmStartStats,
    /// Runners that wait, the longest wait first.
    pub waiting: Vec<Arc<WaitingRow>>,
    /// Runners that have a run, the longest first.
    pub executing: Vec<Arc<ExecutingRow>>,
    /// The latest offers, the newest first.
    pub offers: Vec<Arc<OfferRow>>,
    /// The last hour, the oldest first; stretches of time without an offer are left out.
    pub series: Vec<BucketRow>,
    /// Jobs, where they are served.
    pub jobs: Option<JobsOverview>,
}

/// What does not change while the service runs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInfo {
    /// The program's version.
    pub version: &'static str,
    /// Whether the runners' kernels are asked for their acknowledgement: `kernel`, or `unconfirmed`.
    pub ack: &'static str,
    /// What the process serves.
    pub serves: ServedCapabilities,
    /// Settings in force.
    pub config: Config,
    /// When the service started; buckets are counted from there.
    pub started_at: u64,
    /// How long one bucket is.
    pub bucket_ms: u64,
    /// How many of them are remembered.
    pub buckets: usize,
    /// How many offers are shown.
    pub offers_shown: usize,
}

/// Event `update`: what changed since the event before.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Update {
    /// When this was read.
    pub now: u64,
    /// Counts.
    pub stats: WarmStartStats,
    /// Runners that wait.
    pub waiting: RowChanges<WaitingRow>,
    /// Runners that have a run.
    pub executing: RowChanges<ExecutingRow>,
    /// Offers that ended, and offers of which more is known now; the newest first.
    pub offers: Vec<Arc<OfferRow>>,
    /// Buckets that changed.
    pub series: Vec<BucketRow>,
    /// Jobs, when something of them changed: of their series only the buckets that did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<JobsOverview>,
}

/// What a process serves besides the dashboard.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServedCapabilities {
    /// Runners and supervisors.
    pub warm_starts: bool,
    /// Callers and runners of jobs.
    pub jobs: bool,
}

/// Jobs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobsOverview {
    /// As they are now.
    #[serde(flatten)]
    pub current: JobsSnapshot,
    /// The last hour, the oldest first; stretches of time in which nothing happened are left out.
    pub series: Vec<JobBucket>,
}

/// Jobs as they are now.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobsSnapshot {
    /// How many there are in the store; missing until they were counted.
    pub counts: Option<jobs_admin::AdminStats>,
    /// Polls of runners that wait for a job here.
    pub waiting: usize,
    /// What happened here since the service started.
    pub totals: JobOutcomeCounts,
    /// Grows whenever something of a job may have changed.
    pub revision: u64,
}

/// What happened to submissions and jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobOutcomeCounts {
    /// Submissions that became a job.
    pub new: u64,
    /// Submissions that joined a twin under way.
    pub joined: u64,
    /// Submissions that a known end answered.
    pub cached: u64,
    /// Jobs that got their result.
    pub completed: u64,
    /// Jobs that failed for good.
    pub failed: u64,
    /// Execution time that did not have to be spent.
    pub saved_ms: u64,
}

/// What happened to them within one stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JobBucket {
    /// Which stretch of time, counted from the start of the service.
    pub number: u64,
    /// What happened.
    #[serde(flatten)]
    pub counts: JobOutcomeCounts,
}

/// Rows that came and rows that left.
#[derive(Debug, Serialize)]
pub struct RowChanges<T> {
    /// New ones.
    #[serde(rename = "came")]
    pub added: Vec<Arc<T>>,
    /// The ids of those that are gone.
    #[serde(rename = "left")]
    pub removed: Vec<u64>,
}

/// A runner that waits.
#[derive(Debug, PartialEq, Serialize)]
pub struct WaitingRow {
    /// Its poll's number; a later poll has a higher one.
    pub id: u64,
    /// Who.
    #[serde(flatten)]
    pub identity: RunnerIdentity,
    /// When it began to poll.
    pub since: u64,
}

/// A runner that has a run.
#[derive(Debug, PartialEq, Serialize)]
pub struct ExecutingRow {
    /// The number of the poll that it was chosen by.
    pub id: u64,
    /// Who.
    #[serde(flatten)]
    pub identity: RunnerIdentity,
    /// The run it has.
    pub run: Arc<str>,
    /// When it got it.
    pub since: u64,
}

/// A runner and what fits it.
#[derive(Debug, PartialEq, Serialize)]
pub struct RunnerIdentity {
    /// Its identity.
    pub runner: Arc<str>,
    /// Its node.
    pub worker: Arc<str>,
    /// Its pool.
    #[serde(flatten)]
    pub pool: Pool,
}

/// What a run and a runner have in common.
#[derive(Debug, PartialEq, Serialize)]
pub struct Pool {
    /// The deployment.
    pub deployment: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// Processors.
    pub cpu: f64,
    /// Memory in GB.
    pub memory: f64,
}

/// An offer that has ended.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferRow {
    /// Its number; a later offer has a higher one.
    pub id: u64,
    /// The run.
    pub run: Arc<str>,
    /// What fits it.
    #[serde(flatten)]
    pub pool: Pool,
    /// Who got it; empty when nobody did.
    pub runner: Arc<str>,
    /// Its node; empty when nobody got it.
    pub worker: Arc<str>,
    /// `acknowledged`, `unread`, `unconfirmed` or `cold`, as far as is known by now.
    pub outcome: &'static str,
    /// When the supervisor was answered.
    pub at: u64,
    /// Microseconds from the offer to its answer.
    pub answered_in_us: u64,
    /// Polls that the run was dispatched to.
    pub dispatches: u8,
}

/// The offers that ended within one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketRow {
    /// Which stretch of time, counted from the start of the service.
    pub number: u64,
    /// Runs that went to a waiting runner.
    pub warm: u32,
    /// Runs that did not.
    pub cold: u32,
    /// Half of the warm ones were answered within so many microseconds; 0 when none was warm.
    pub p50_us: u64,
    /// And 99 of 100 within these.
    pub p99_us: u64,
}
