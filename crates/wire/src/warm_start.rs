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
    /// The runner's identity. Required.
    pub const CONTROLLER_ID: &str = "x-trigger-workload-controller-id";
    /// Processors, as JavaScript's `String(number)`; 0 when missing.
    pub const MACHINE_CPU: &str = "x-trigger-machine-cpu";
    /// Memory in GB, as JavaScript's `String(number)`; 0 when missing.
    pub const MACHINE_MEMORY: &str = "x-trigger-machine-memory";
    /// The node's name, for people; `unknown` when missing.
    pub const WORKER_INSTANCE_NAME: &str = "x-trigger-worker-instance-name";
}

/// Answer of `GET /connect`. A runner that reads a 0 in either exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectResponse {
    /// After so many milliseconds the runner aborts its poll and asks again.
    pub connection_timeout_ms: u64,
    /// After so many milliseconds without a run the runner exits.
    pub keepalive_ms: u64,
}

/// Body of `POST /warm-start`. The message stays the sender's bytes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferRequest<'a> {
    /// The run's message, passed on byte for byte.
    #[serde(borrow, default)]
    pub dequeued_message: Option<&'a RawValue>,
}

/// What matching reads of the message; everything else passes through unread.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DequeuedMessage<'a> {
    /// Where the run was deployed.
    #[serde(borrow, default)]
    pub deployment: Option<Object<Deployment<'a>>>,
    /// Which version of it.
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
    /// The id that runners name; a run without one has no runners.
    #[serde(borrow, default)]
    pub friendly_id: Option<Cow<'a, str>>,
}

/// `dequeuedMessage.backgroundWorker`
#[derive(Debug, Deserialize)]
pub struct BackgroundWorker<'a> {
    /// The version that runners name.
    #[serde(borrow, default)]
    pub version: Option<Cow<'a, str>>,
}

/// `dequeuedMessage.run`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run<'a> {
    /// The id that people know.
    #[serde(borrow, default)]
    pub friendly_id: Option<Cow<'a, str>>,
    /// What it wants of a machine.
    #[serde(default)]
    pub machine: Option<Object<Machine>>,
}

/// `dequeuedMessage.run.machine`
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Machine {
    /// Processors.
    #[serde(default)]
    pub cpu: f64,
    /// Memory in GB.
    #[serde(default)]
    pub memory: f64,
}

/// Answer of `POST /warm-start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferResponse {
    /// Whether a runner has the run.
    pub did_warm_start: bool,
    /// What was wrong with the offer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// Answer of `GET /health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`, or `draining` while the service stops.
    pub status: Cow<'static, str>,
    /// Polls parked.
    pub waiting_runners: usize,
    /// Deployments with a poll that may be chosen.
    pub deployments: usize,
    /// Runners that have a run.
    pub executing_runners: usize,
    /// Polls for jobs that wait; 0 when the service has no jobs.
    #[serde(default)]
    pub waiting_for_jobs: usize,
    /// Connections open, this one included.
    pub connections: usize,
    /// Whether the runners' kernels are asked for their acknowledgement: `kernel`, or `unconfirmed`.
    pub ack: Cow<'static, str>,
    /// The program's version.
    pub version: Cow<'static, str>,
    /// Since the service started.
    pub uptime_ms: u64,
}

/// Body of any refusal on these paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What is wrong and what is expected.
    pub error: String,
}
