//! Runs as supervisors offer them: a whole `dequeuedMessage` (docs/protocols/warm-start.md).

use serde_json::{Value, json};

/// The deployment of all runs and runners, unless a test uses another.
pub const DEPLOYMENT: &str = "deployment_e2e";
/// The deployment's version.
pub const VERSION: &str = "20240101.1";

/// A run with every field that the platform may send, the optional ones too.
pub fn run(id: &str) -> Value {
    json!({
        "version": "1",
        "snapshot": {
            "id": format!("snapshot-of-{id}"),
            "friendlyId": "snapshot_abc",
            "executionStatus": "PENDING_EXECUTING",
            "description": "Run was dequeued – für Ωmega 🚀 \"quoted\" \\ \u{7f}",
            "createdAt": "2024-01-01T00:00:00.123Z",
        },
        "dequeuedAt": "2024-01-01T00:00:01.456Z",
        "workerQueueLength": 7,
        "image": "registry.example/image@sha256:0123",
        "checkpoint": {
            "id": "checkpoint_1", "type": "DOCKER", "location": "/checkpoints/1",
            "imageRef": "registry.example/checkpoint:1", "reason": "WAIT_FOR_TASK",
        },
        "completedWaitpoints": [waitpoint(0, "{\"n\":0.1}")],
        "backgroundWorker": { "id": "worker-1", "friendlyId": "worker_1", "version": VERSION, "runtime": "node-22" },
        "deployment": { "id": "deployment-1", "friendlyId": DEPLOYMENT, "imagePlatform": "linux/amd64" },
        "run": {
            "id": format!("id-of-{id}"),
            "friendlyId": id,
            "isTest": false,
            "isReplay": true,
            "machine": { "name": "small-1x", "cpu": 0.5, "memory": 0.5, "centsPerMs": 0.000_033_8 },
            "attemptNumber": 1,
            "masterQueue": "main",
            "traceContext": {
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "nested": { "list": [1, null, true, "x"] },
            },
            "annotations": { "triggerSource": "sdk", "triggerAction": "trigger", "rootTriggerSource": "api" },
        },
        "environment": { "id": "environment-1", "type": "PRODUCTION" },
        "organization": { "id": "organization-1", "hasPrivateLink": false },
        "project": { "id": "project-1" },
        "placementTags": [{ "key": "zone", "values": ["a", "b"] }],
    })
}

/// A run whose completed waitpoints take about `bytes` bytes.
pub fn large_run(id: &str, bytes: usize) -> Value {
    const OUTPUT: usize = 100_000;
    let mut run = run(id);
    let waitpoints = (0..bytes / OUTPUT).map(|index| waitpoint(index, &"wärme ".repeat(OUTPUT / 7)));
    run["completedWaitpoints"] = waitpoints.collect();
    run
}

/// Replaces the value at a path such as `/run/machine/cpu`.
pub fn changed(mut run: Value, path: &str, value: Value) -> Value {
    *run.pointer_mut(path).unwrap_or_else(|| panic!("a run has {path}")) = value;
    run
}

/// The body of an offer.
pub fn offer(run: &Value) -> String {
    json!({ "dequeuedMessage": run }).to_string()
}

/// The run's friendly id.
pub fn id(run: &Value) -> &str {
    run["run"]["friendlyId"].as_str().expect("a run has an id")
}

fn waitpoint(index: usize, output: &str) -> Value {
    json!({
        "id": format!("waitpoint-{index}"),
        "index": index,
        "friendlyId": format!("waitpoint_{index}"),
        "type": "RUN",
        "completedAt": "2024-01-01T00:00:00.000Z",
        "idempotencyKey": "key",
        "completedByTaskRun": {
            "id": "run-2", "friendlyId": "run_2", "batch": { "id": "batch-1", "friendlyId": "batch_1" },
        },
        "completedAfter": "2024-01-01T00:00:00.001Z",
        "completedByBatch": { "id": "batch-1", "friendlyId": "batch_1" },
        "output": output,
        "outputType": "application/json",
        "outputIsError": false,
    })
}
