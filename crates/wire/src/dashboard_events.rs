//! The live data of the dashboard page: `GET /api/dashboard/events`, a stream of server-sent events. The first event is
//! a `snapshot`, which replaces all earlier data; `update` events follow. Times are epoch milliseconds.

use std::sync::Arc;

use serde::Serialize;

use crate::dashboard::{Config, WarmStartStats};
use crate::jobs_admin;

/// The fields of every event that belong to no capability. Each served capability adds its own fields.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventHead<'a> {
    /// When the data was read.
    pub now: u64,
    /// Values that do not change while the service runs; only in `snapshot`.
    #[serde(flatten)]
    pub info: Option<&'a ServiceInfo>,
}

/// What warm starts add to the event `snapshot`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WarmStartSnapshot {
    /// Counters.
    pub stats: WarmStartStats,
    /// Runners with a parked poll, the longest wait first.
    pub waiting: Vec<Arc<WaitingRow>>,
    /// Runners that execute a run, the longest execution first.
    pub executing: Vec<Arc<ExecutingRow>>,
    /// The latest offers, the newest first.
    pub offers: Vec<Arc<OfferRow>>,
    /// The time buckets of the last hour, the oldest first; buckets without offers are omitted.
    pub series: Vec<BucketRow>,
}

/// Values that do not change while the service runs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInfo {
    /// The version of the program.
    pub version: &'static str,
    /// Whether a dispatch waits for the acknowledgement of the runner's kernel: `kernel`, or `unconfirmed`.
    pub ack: &'static str,
    /// The capabilities that the process serves.
    pub serves: ServedCapabilities,
    /// The settings in use.
    pub config: Config,
    /// When the service started; bucket numbers count from there.
    pub started_at: u64,
    /// The width of one bucket in milliseconds.
    pub bucket_ms: u64,
    /// Number of buckets that are stored.
    pub buckets: usize,
    /// Maximum number of offers in the live list.
    pub offers_shown: usize,
}

/// What warm starts add to the event `update`: everything that changed since the previous event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WarmStartUpdate {
    /// Counters.
    pub stats: WarmStartStats,
    /// Changes of the runners with a parked poll.
    pub waiting: RowChanges<WaitingRow>,
    /// Changes of the runners that execute a run.
    pub executing: RowChanges<ExecutingRow>,
    /// Offers that ended, and offers whose outcome changed; the newest first.
    pub offers: Vec<Arc<OfferRow>>,
    /// Buckets that changed.
    pub series: Vec<BucketRow>,
}

/// The capabilities that a process serves, besides the dashboard.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServedCapabilities {
    /// Warm starts.
    pub warm_starts: bool,
    /// Jobs.
    pub jobs: bool,
}

/// The jobs data.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobsOverview {
    /// The current values.
    #[serde(flatten)]
    pub current: JobsSnapshot,
    /// The time buckets of the last hour, the oldest first; buckets without outcomes are omitted.
    pub series: Vec<JobBucket>,
}

/// The current values of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobsSnapshot {
    /// The number of jobs and runners in the store; missing until they were counted.
    pub counts: Option<jobs_admin::AdminStats>,
    /// Number of polls for jobs that are parked in this process.
    pub waiting: usize,
    /// Outcomes in this process since the service started.
    pub totals: JobOutcomeCounts,
    /// A number that grows whenever a job may have changed.
    pub revision: u64,
}

/// Number of outcomes of submissions and jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobOutcomeCounts {
    /// Submissions that became a new job.
    pub new: u64,
    /// Submissions that joined an equal job that had not ended.
    pub joined: u64,
    /// Submissions that an ended job answered.
    pub cached: u64,
    /// Jobs that completed with a result.
    pub completed: u64,
    /// Jobs that failed for good.
    pub failed: u64,
    /// Execution time that was saved by caching and joining, in milliseconds.
    pub saved_ms: u64,
}

/// The outcomes within one time bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct JobBucket {
    /// The number of the bucket, counted from the start of the service.
    pub number: u64,
    /// The outcomes.
    #[serde(flatten)]
    pub counts: JobOutcomeCounts,
}

/// Rows that were added and removed.
#[derive(Debug, Serialize)]
pub struct RowChanges<T> {
    /// The added rows.
    #[serde(rename = "came")]
    pub added: Vec<Arc<T>>,
    /// The ids of the removed rows.
    #[serde(rename = "left")]
    pub removed: Vec<u64>,
}

/// A runner with a parked poll.
#[derive(Debug, PartialEq, Serialize)]
pub struct WaitingRow {
    /// The number of the poll; a later poll has a higher one.
    pub id: u64,
    /// The runner.
    #[serde(flatten)]
    pub identity: RunnerIdentity,
    /// When the poll was parked.
    pub since: u64,
}

/// A runner that executes a run.
#[derive(Debug, PartialEq, Serialize)]
pub struct ExecutingRow {
    /// The number of the poll that was selected for the run.
    pub id: u64,
    /// The runner.
    #[serde(flatten)]
    pub identity: RunnerIdentity,
    /// The run.
    pub run: Arc<str>,
    /// When the runner got the run.
    pub since: u64,
}

/// A runner and its pool.
#[derive(Debug, PartialEq, Serialize)]
pub struct RunnerIdentity {
    /// The runner's id.
    pub runner: Arc<str>,
    /// The runner's node.
    pub worker: Arc<str>,
    /// The runner's pool.
    #[serde(flatten)]
    pub pool: Pool,
}

/// What a run and a runner must have in common to match.
#[derive(Debug, PartialEq, Serialize)]
pub struct Pool {
    /// The deployment.
    pub deployment: Arc<str>,
    /// The version of the deployment.
    pub version: Arc<str>,
    /// Number of processors.
    pub cpu: f64,
    /// Memory in GB.
    pub memory: f64,
}

/// An offer that has ended.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferRow {
    /// The number of the offer; a later offer has a higher one.
    pub id: u64,
    /// The run.
    pub run: Arc<str>,
    /// The pool of the run.
    #[serde(flatten)]
    pub pool: Pool,
    /// The runner that got the run; empty when none did.
    pub runner: Arc<str>,
    /// The node of the runner; empty when no runner got the run.
    pub worker: Arc<str>,
    /// The outcome as far as is known by now: `acknowledged`, `unread`, `unconfirmed` or `cold`.
    pub outcome: &'static str,
    /// When the supervisor was answered.
    pub at: u64,
    /// Microseconds from the offer to its answer.
    pub answered_in_us: u64,
    /// Number of polls that the run was dispatched to.
    pub dispatches: u8,
}

/// The offers that ended within one time bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketRow {
    /// The number of the bucket, counted from the start of the service.
    pub number: u64,
    /// Runs that a waiting runner got.
    pub warm: u32,
    /// Runs that had to be cold-started.
    pub cold: u32,
    /// The median time to the answer of a warm offer, in microseconds; 0 when none was warm.
    pub p50_us: u64,
    /// The 99th percentile of the same time.
    pub p99_us: u64,
}
