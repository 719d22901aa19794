//! The warm-start protocol of Trigger.dev v4: `GET /connect`, `GET|POST /warm-start`, `GET /health`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::object::Object;

/// Headers of a poll.
pub mod header {
    /// The deployment, or a signed deployment token. Required.
    pub const DEPLOYMENT_ID: &str = "x-trigger-deployment-id";
    /// The deployment's version. Required.
    pub const DEPLOYMENT_VERSION: &str = "x-trigger-deployment-version";
    /// The runner's id. Required.
    pub const CONTROLLER_ID: &str = "x-trigger-workload-controller-id";
    /// The number of processors, as JavaScript's `String(number)`; 0 when missing.
    pub const MACHINE_CPU: &str = "x-trigger-machine-cpu";
    /// Memory in GB, as JavaScript's `String(number)`; 0 when missing.
    pub const MACHINE_MEMORY: &str = "x-trigger-machine-memory";
    /// The node's name, shown to users; `unknown` when missing.
    pub const WORKER_INSTANCE_NAME: &str = "x-trigger-worker-instance-name";
}

/// Response of `GET /connect`. A runner exits when either value is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectResponse {
    /// The runner aborts its poll after this many milliseconds and polls again.
    pub connection_timeout_ms: u64,
    /// The runner exits after this many milliseconds without a run.
    pub keepalive_ms: u64,
}

/// Body of `POST /warm-start`. The message stays as the supervisor sent it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferRequest<'a> {
    /// The run's message, passed on byte for byte.
    #[serde(borrow, default)]
    pub dequeued_message: Option<&'a RawValue>,
}

/// The fields of the message that matching reads. All other fields are passed on unread.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DequeuedMessage<'a> {
    /// The deployment of the run.
    #[serde(borrow, default)]
    pub deployment: Option<Object<Deployment<'a>>>,
    /// The version of the deployment.
    #[serde(borrow, default)]
    pub background_worker: Option<Object<BackgroundWorker<'a>>>,
    /// The run itself.
    #[serde(borrow, default)]
    pub run: Option<Object<Run<'a>>>,
}

/// `dequeuedMessage.deployment`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment<'a> {
    /// The friendly id, which polls have in their header. No poll matches a run without one.
    #[serde(borrow, default)]
    pub friendly_id: Option<Cow<'a, str>>,
}

/// `dequeuedMessage.backgroundWorker`
#[derive(Debug, Deserialize)]
pub struct BackgroundWorker<'a> {
    /// The version, which polls have in their header.
    #[serde(borrow, default)]
    pub version: Option<Cow<'a, str>>,
}

/// `dequeuedMessage.run`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run<'a> {
    /// The friendly id of the run.
    #[serde(borrow, default)]
    pub friendly_id: Option<Cow<'a, str>>,
    /// The machine that the run needs.
    #[serde(default)]
    pub machine: Option<Object<Machine>>,
}

/// `dequeuedMessage.run.machine`
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Machine {
    /// Number of processors.
    #[serde(default)]
    pub cpu: f64,
    /// Memory in GB.
    #[serde(default)]
    pub memory: f64,
}

/// Response of `POST /warm-start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferResponse {
    /// Whether a runner has the run.
    pub did_warm_start: bool,
    /// What was wrong with the offer, when it was invalid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// Response of `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`, or `draining` while the service stops.
    pub status: Cow<'static, str>,
    /// Number of parked polls of warm starts.
    pub waiting_runners: usize,
    /// Number of deployments that have a selectable poll.
    pub deployments: usize,
    /// Number of runners that execute a run.
    pub executing_runners: usize,
    /// Number of parked polls for jobs; 0 when the service has no jobs capability.
    #[serde(default)]
    pub waiting_for_jobs: usize,
    /// Number of open connections, including this one.
    pub connections: usize,
    /// Whether a dispatch waits for the acknowledgement of the runner's kernel: `kernel`, or `unconfirmed`.
    pub ack: Cow<'static, str>,
    /// The version of the program.
    pub version: Cow<'static, str>,
    /// Milliseconds since the service started.
    pub uptime_ms: u64,
}

/// Body of every error response on these paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// The error message: what is wrong and what is expected.
    pub error: String,
}
