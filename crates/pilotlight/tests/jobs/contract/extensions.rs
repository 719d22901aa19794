//! Script of what the API adds to Runpack's contract: waiting, cancelling, leases, console output in chunks, fresh
//! submissions.

use serde_json::{Value, json};

use super::script::{Step, request};

fn submit(what: &str, options: &Value) -> Step {
    let mut body = json!({ "job_type": "extension", "input_params": { "what": what } });
    body.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    request("POST /api/jobs/submit").with_body(body)
}

fn new(name: &str) -> Value {
    json!({ "job_id": name, "status": "pending", "message": "<text>" })
}

fn existing(job: &str) -> Value {
    json!({ "job_id": job, "status": "pending", "message": "<text>" })
}

fn accepted() -> Value {
    json!({ "success": true, "message": "<text>" })
}

pub(super) fn script() -> Vec<Step> {
    [document(), options(), waiting(), cancelling(), leases(), chunks(), fresh()]
        .into_iter()
        .flatten()
        .collect()
}

fn document() -> Vec<Step> {
    vec![request("GET /api/openapi.json").without_header("authorization")]
}

fn options() -> Vec<Step> {
    let all = json!({
        "ttl_ms": 60_000, "code_version": "v1", "priority": -5, "run_at": 9_007_199_254_740_991_u64,
        "max_attempts": 3, "retry_backoff_ms": 1000, "fresh": false,
    });
    vec![
        submit("options", &all).responds(201, new("<later:>")),
        submit("options", &all).responds(200, existing("{later}")),
        submit("options", &json!({ "code_version": "v2" })).responds(201, new("<v2:>")),
        submit("options", &json!({})).responds(201, new("<plain:>")),
        request("POST /api/jobs/check")
            .with_body(json!({ "job_type": "extension", "input_params": { "what": "options" }, "code_version": "v2" }))
            .responds(
                200,
                json!({ "exists": true, "job_id": "{v2}", "status": "pending", "message": "<text>" }),
            ),
        // Its `run_at` is in the future.
        request("POST /api/runner/jobs/{later}/claim").sent_by("r").rejected(409),
    ]
}

fn waiting() -> Vec<Step> {
    vec![
        request("POST /api/jobs/submit?wait_ms=20")
            .with_body(json!({ "job_type": "extension", "input_params": { "what": "waiting" } }))
            .responds(201, new("<waited:>")),
        request("POST /api/jobs/submit?wait_ms=20")
            .with_body(json!({ "job_type": "extension", "input_params": { "what": "waiting" } }))
            .responds(200, existing("{waited}")),
        request("GET /api/jobs/{waited}?wait_ms=20").responds(
            200,
            json!({
                "job_id": "{waited}", "status": "pending", "job_type": "extension", "created_at": "<time>",
                "updated_at": "<time>",
            }),
        ),
        request("GET /api/jobs/{waited}?wait_ms=0"),
        request("GET /api/jobs/{waited}?wait_ms="),
        request("GET /api/jobs/{waited}?wait_ms=soon").refused(400, "wait_ms is not a whole number"),
    ]
}

fn cancelling() -> Vec<Step> {
    let cancelled = |status: &str| json!({ "success": true, "status": status, "message": "<text>" });
    let heartbeat =
        |body: Value| request("POST /api/runner/jobs/{cancelled_job}/heartbeat").sent_by("r").with_body(body);
    vec![
        submit("cancel", &json!({})).responds(201, new("<cancelled_job:>")),
        submit("cancel", &json!({})).responds(200, existing("{cancelled_job}")),
        request("POST /api/jobs/{cancelled_job}/cancel").responds(200, cancelled("pending")),
        request("POST /api/runner/jobs/{cancelled_job}/claim").sent_by("r"),
        heartbeat(json!({})).responds(200, accepted()),
        request("POST /api/jobs/{cancelled_job}/cancel").responds(200, cancelled("failed")),
        request("POST /api/jobs/{cancelled_job}/cancel")
            .responds(409, json!({ "success": false, "status": "failed", "message": "<text>" })),
        request("GET /api/jobs/{cancelled_job}").responds(
            200,
            json!({
                "job_id": "{cancelled_job}", "status": "failed", "job_type": "extension", "created_at": "<time>",
                "updated_at": "<time>", "error": "cancelled",
            }),
        ),
        heartbeat(json!({})).responds(200, json!({ "success": true, "message": "<text>", "cancelled": true })),
        heartbeat(json!({ "lease": 1 }))
            .responds(200, json!({ "success": true, "message": "<text>", "cancelled": true })),
        heartbeat(json!({})).sent_by("another").rejected(400),
        request("POST /api/runner/jobs/{cancelled_job}/complete")
            .sent_by("r")
            .with_body(json!({ "output_data": {} }))
            .rejected(400),
        // The failure of a cancelled job is not cached.
        submit("cancel", &json!({})).responds(201, new("<again:>")),
    ]
}

fn leases() -> Vec<Step> {
    let report = |call: &str, body: Value| {
        request(format!("POST /api/runner/jobs/{{leased}}/{call}")).sent_by("r").with_body(body)
    };
    vec![
        submit("lease", &json!({})).responds(201, new("<leased:>")),
        report("start", json!({ "lease": 1 })).rejected(409),
        request("POST /api/runner/jobs/{leased}/claim").sent_by("r"),
        report("start", json!({ "lease": 1 })).responds(200, accepted()),
        report("start", json!({ "lease": 2 })).rejected(409),
        report("heartbeat", json!({ "lease": 1 })).responds(200, accepted()),
        report("heartbeat", json!({ "lease": 2 })).rejected(409),
        report("heartbeat", json!({ "lease": 1 })).sent_by("another").rejected(409),
        report("complete", json!({ "lease": 2, "output_data": {} })).rejected(409),
        report("error", json!({ "lease": 2, "error_message": "e" })).rejected(409),
        report("complete", json!({ "lease": 1, "output_data": {} })).responds(200, accepted()),
        report("complete", json!({ "lease": 1, "output_data": {} })).responds(200, accepted()),
        report("complete", json!({ "lease": 1, "output_data": { "other": 1 } })).rejected(409),
    ]
}

fn chunks() -> Vec<Step> {
    let report = |call: &str, body: Value| {
        request(format!("POST /api/runner/jobs/{{chunked}}/{call}")).sent_by("r").with_body(body)
    };
    vec![
        submit("chunks", &json!({})).responds(201, new("<chunked:>")),
        request("POST /api/runner/jobs/{chunked}/claim").sent_by("r"),
        report("heartbeat", json!({ "console_append": "one\n" })).responds(200, accepted()),
        report("heartbeat", json!({ "console_append": "two\u{0}\n" })).responds(200, accepted()),
        report("complete", json!({ "console_append": "three\n", "output_data": [1, { "a": null }] }))
            .responds(200, accepted()),
        submit("chunks", &json!({})).responds(
            200,
            json!({
                "job_id": "{chunked}", "status": "completed", "message": "<text>",
                "result": { "output_data": [1, { "a": null }], "console_output": "one\ntwo\u{fffd}\nthree\n" },
            }),
        ),
    ]
}

fn fresh() -> Vec<Step> {
    let again =
        |key: &'static str| submit("fresh", &json!({ "fresh": true })).with_header("idempotency-key", key);
    vec![
        submit("fresh", &json!({})).responds(201, new("<older:>")),
        again("first").responds(201, new("<newer:>")),
        again("first").responds(200, existing("{newer}")),
        submit("fresh", &json!({ "fresh": true })).responds(201, new("<third:>")),
        submit("another", &json!({ "fresh": true }))
            .with_header("idempotency-key", "first")
            .refused(409, "Idempotency-Key was used for a different submission"),
        submit("fresh", &json!({})).responds(200, existing("{older}")),
    ]
}
