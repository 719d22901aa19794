//! What goes beyond the original: waiting, cancelling, leases, pieces of console output, fresh submissions.

use serde_json::{Value, json};

use super::script::{Line, ask};

fn submit(what: &str, more: &Value) -> Line {
    let mut body = json!({ "job_type": "ours", "input_params": { "what": what } });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ask("POST /api/jobs/submit").with(body)
}

fn new(name: &str) -> Value {
    json!({ "job_id": name, "status": "pending", "message": "<text>" })
}

fn known(job: &str) -> Value {
    json!({ "job_id": job, "status": "pending", "message": "<text>" })
}

fn taken() -> Value {
    json!({ "success": true, "message": "<text>" })
}

pub(super) fn script() -> Vec<Line> {
    [document(), options(), waiting(), cancelling(), leases(), pieces(), fresh()]
        .into_iter()
        .flatten()
        .collect()
}

fn document() -> Vec<Line> {
    vec![ask("GET /api/openapi.json").without("authorization")]
}

fn options() -> Vec<Line> {
    let all = json!({
        "ttl_ms": 60_000, "code_version": "v1", "priority": -5, "run_at": 9_007_199_254_740_991_u64,
        "max_attempts": 3, "retry_backoff_ms": 1000, "fresh": false,
    });
    vec![
        submit("options", &all).responds(201, new("<later:>")),
        submit("options", &all).responds(200, known("{later}")),
        submit("options", &json!({ "code_version": "v2" })).responds(201, new("<v2:>")),
        submit("options", &json!({})).responds(201, new("<plain:>")),
        ask("POST /api/jobs/check")
            .with(json!({ "job_type": "ours", "input_params": { "what": "options" }, "code_version": "v2" }))
            .responds(
                200,
                json!({ "exists": true, "job_id": "{v2}", "status": "pending", "message": "<text>" }),
            ),
        // Its time has not come.
        ask("POST /api/runner/jobs/{later}/claim").by("r").in_vain(409),
    ]
}

fn waiting() -> Vec<Line> {
    vec![
        ask("POST /api/jobs/submit?wait_ms=20")
            .with(json!({ "job_type": "ours", "input_params": { "what": "waiting" } }))
            .responds(201, new("<waited:>")),
        ask("POST /api/jobs/submit?wait_ms=20")
            .with(json!({ "job_type": "ours", "input_params": { "what": "waiting" } }))
            .responds(200, known("{waited}")),
        ask("GET /api/jobs/{waited}?wait_ms=20").responds(
            200,
            json!({
                "job_id": "{waited}", "status": "pending", "job_type": "ours", "created_at": "<time>",
                "updated_at": "<time>",
            }),
        ),
        ask("GET /api/jobs/{waited}?wait_ms=0"),
        ask("GET /api/jobs/{waited}?wait_ms="),
        ask("GET /api/jobs/{waited}?wait_ms=soon").refused(400, "wait_ms is not a whole number"),
    ]
}

fn cancelling() -> Vec<Line> {
    let cancelled = |status: &str| json!({ "success": true, "status": status, "message": "<text>" });
    let lost = |body: Value| ask("POST /api/runner/jobs/{unwanted}/heartbeat").by("r").with(body);
    vec![
        submit("cancel", &json!({})).responds(201, new("<unwanted:>")),
        submit("cancel", &json!({})).responds(200, known("{unwanted}")),
        ask("POST /api/jobs/{unwanted}/cancel").responds(200, cancelled("pending")),
        ask("POST /api/runner/jobs/{unwanted}/claim").by("r"),
        lost(json!({})).responds(200, taken()),
        ask("POST /api/jobs/{unwanted}/cancel").responds(200, cancelled("failed")),
        ask("POST /api/jobs/{unwanted}/cancel")
            .responds(409, json!({ "success": false, "status": "failed", "message": "<text>" })),
        ask("GET /api/jobs/{unwanted}").responds(
            200,
            json!({
                "job_id": "{unwanted}", "status": "failed", "job_type": "ours", "created_at": "<time>",
                "updated_at": "<time>", "error": "cancelled",
            }),
        ),
        lost(json!({})).responds(200, json!({ "success": true, "message": "<text>", "cancelled": true })),
        lost(json!({ "lease": 1 }))
            .responds(200, json!({ "success": true, "message": "<text>", "cancelled": true })),
        lost(json!({})).by("another").in_vain(400),
        ask("POST /api/runner/jobs/{unwanted}/complete")
            .by("r")
            .with(json!({ "output_data": {} }))
            .in_vain(400),
        // Not remembered.
        submit("cancel", &json!({})).responds(201, new("<again:>")),
    ]
}

fn leases() -> Vec<Line> {
    let word =
        |call: &str, body: Value| ask(format!("POST /api/runner/jobs/{{leased}}/{call}")).by("r").with(body);
    vec![
        submit("lease", &json!({})).responds(201, new("<leased:>")),
        word("start", json!({ "lease": 1 })).in_vain(409),
        ask("POST /api/runner/jobs/{leased}/claim").by("r"),
        word("start", json!({ "lease": 1 })).responds(200, taken()),
        word("start", json!({ "lease": 2 })).in_vain(409),
        word("heartbeat", json!({ "lease": 1 })).responds(200, taken()),
        word("heartbeat", json!({ "lease": 2 })).in_vain(409),
        word("heartbeat", json!({ "lease": 1 })).by("another").in_vain(409),
        word("complete", json!({ "lease": 2, "output_data": {} })).in_vain(409),
        word("error", json!({ "lease": 2, "error_message": "e" })).in_vain(409),
        word("complete", json!({ "lease": 1, "output_data": {} })).responds(200, taken()),
        word("complete", json!({ "lease": 1, "output_data": {} })).responds(200, taken()),
        word("complete", json!({ "lease": 1, "output_data": { "other": 1 } })).in_vain(409),
    ]
}

fn pieces() -> Vec<Line> {
    let word =
        |call: &str, body: Value| ask(format!("POST /api/runner/jobs/{{wordy}}/{call}")).by("r").with(body);
    vec![
        submit("pieces", &json!({})).responds(201, new("<wordy:>")),
        ask("POST /api/runner/jobs/{wordy}/claim").by("r"),
        word("heartbeat", json!({ "console_append": "one\n" })).responds(200, taken()),
        word("heartbeat", json!({ "console_append": "two\u{0}\n" })).responds(200, taken()),
        word("complete", json!({ "console_append": "three\n", "output_data": [1, { "a": null }] }))
            .responds(200, taken()),
        submit("pieces", &json!({})).responds(
            200,
            json!({
                "job_id": "{wordy}", "status": "completed", "message": "<text>",
                "result": { "output_data": [1, { "a": null }], "console_output": "one\ntwo\u{fffd}\nthree\n" },
            }),
        ),
    ]
}

fn fresh() -> Vec<Line> {
    let again = |key: &'static str| submit("fresh", &json!({ "fresh": true })).header("idempotency-key", key);
    vec![
        submit("fresh", &json!({})).responds(201, new("<old:>")),
        again("first").responds(201, new("<young:>")),
        again("first").responds(200, known("{young}")),
        submit("fresh", &json!({ "fresh": true })).responds(201, new("<third:>")),
        submit("another", &json!({ "fresh": true }))
            .header("idempotency-key", "first")
            .refused(409, "Idempotency-Key was used for a different submission"),
        submit("fresh", &json!({})).responds(200, known("{old}")),
    ]
}
