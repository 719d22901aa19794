//! Requests that are wrong.

use serde_json::{Value, json};

use super::script::{Line, ask};

const UNKNOWN: &str = "0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";

pub(super) fn script() -> Vec<Line> {
    [envelopes(), submissions(), options(), registrations(), words(), questions(), paths()]
        .into_iter()
        .flatten()
        .collect()
}

fn envelopes() -> Vec<Line> {
    let refused = |body: &str, part| ask("POST /api/jobs/submit").raw(body).refused(400, part);
    vec![
        refused("", "not JSON"),
        refused("{", "not JSON"),
        refused("null", "not a JSON object"),
        refused("[]", "not a JSON object"),
        refused("{} {}", "not JSON"),
        refused(r#"{"job_type": "a", "job_type": "b", "input_params": {}}"#, "job_type is given twice"),
        refused(r#"{"job_type": "a", "input_params": {"x": NaN}}"#, "not JSON"),
    ]
}

fn submissions() -> Vec<Line> {
    let wrong = [
        (json!({ "input_params": {} }), "job_type is missing"),
        (json!({ "job_type": null, "input_params": {} }), "job_type is missing"),
        (json!({ "job_type": "", "input_params": {} }), "job_type is empty"),
        (json!({ "job_type": " ", "input_params": {} }), "job_type is empty"),
        (json!({ "job_type": 7, "input_params": {} }), "job_type is not a string"),
        (json!({ "job_type": "x".repeat(257), "input_params": {} }), "job_type is longer than 256 bytes"),
        (json!({ "job_type": "a\0b", "input_params": {} }), "job_type has the character U+0000"),
        (json!({ "job_type": "a" }), "input_params is missing"),
        (json!({ "job_type": "a", "input_params": null }), "input_params is missing"),
        (json!({ "job_type": "a", "input_params": "{}" }), "input_params is not an object"),
        (json!({ "job_type": "a", "input_params": 1 }), "input_params is not an object"),
    ];
    let calls = ["POST /api/jobs/submit", "POST /api/jobs/check"];
    let mut lines: Vec<_> = calls
        .iter()
        .flat_map(|call| wrong.iter().map(|(body, part)| ask(*call).with(body.clone()).refused(400, part)))
        .collect();
    let twice = r#"{"job_type": "a", "input_params": {"x": {"y": 1, "y": 1}}}"#;
    lines.push(ask("POST /api/jobs/submit").raw(twice).refused(400, "input_params has a name twice"));
    let deep = format!(r#"{{"job_type": "a", "input_params": {}{}}}"#, "[".repeat(129), "]".repeat(129));
    lines.push(ask("POST /api/jobs/submit").raw(deep).refused(400, "nested deeper than 128 levels"));
    // What a newer client says besides is not read.
    let newer = json!({ "job_type": "a", "input_params": {}, "colour": { "of": "the sky" } });
    lines.push(
        ask("POST /api/jobs/check")
            .with(newer)
            .responds(200, json!({ "exists": false, "message": "<text>" })),
    );
    lines
}

fn options() -> Vec<Line> {
    let with = |name: &str, value: Value| {
        let mut body = json!({ "job_type": "a", "input_params": { "option": name } });
        body[name] = value;
        ask("POST /api/jobs/submit").with(body).refused(400, &format!("{name} is n"))
    };
    vec![
        with("priority", json!(1.5)),
        with("priority", json!(2_147_483_648_u64)),
        with("priority", json!("1")),
        with("run_at", json!(-1)),
        with("run_at", json!(9_007_199_254_740_992_u64)),
        with("max_attempts", json!(0)),
        with("max_attempts", json!(101)),
        with("retry_backoff_ms", json!(true)),
        with("ttl_ms", json!(0)),
        with("ttl_ms", json!(1e300)),
        with("fresh", json!(1)),
        with("code_version", json!(2)),
        ask("POST /api/jobs/submit?wait_ms=600001")
            .with(json!({ "job_type": "a", "input_params": {} }))
            .refused(400, "wait_ms is not a whole number"),
        ask("POST /api/jobs/submit?wait_ms=1&wait_ms=2")
            .with(json!({ "job_type": "a", "input_params": {} }))
            .refused(400, "wait_ms is given twice"),
        ask("POST /api/jobs/submit")
            .header("idempotency-key", "k".repeat(257))
            .with(json!({ "job_type": "a", "input_params": {} }))
            .refused(400, "idempotency-key is not 1 to 256 bytes long"),
        ask("GET /api/admin/stats").responds(
            200,
            json!({
                "jobs": {
                    "pending": 0, "claimed": 0, "in_progress": 0, "completed": 0, "failed": 0, "expired": 0,
                    "total": 0,
                },
                "runners": { "total": 0, "active": 0 },
            }),
        ),
    ]
}

fn registrations() -> Vec<Line> {
    let wrong = |body: Value, part| {
        ask("POST /api/runner/register").without("x-runner-id").with(body).refused(400, part)
    };
    vec![
        wrong(json!({ "capabilities": [] }), "name is missing"),
        wrong(json!({ "name": "", "capabilities": [] }), "name is empty"),
        wrong(json!({ "name": ["a"], "capabilities": [] }), "name is not a string"),
        wrong(json!({ "name": "n".repeat(257), "capabilities": [] }), "name is longer than 256 bytes"),
        wrong(json!({ "name": "n" }), "capabilities is missing"),
        wrong(json!({ "name": "n", "capabilities": "add" }), "capabilities is not a list of strings"),
        wrong(
            json!({ "name": "n", "capabilities": ["add", 1] }),
            "capabilities has an entry that is not a string",
        ),
        wrong(
            json!({ "name": "n", "capabilities": vec!["add"; 1001] }),
            "capabilities has more than 1000 entries",
        ),
    ]
}

fn words() -> Vec<Line> {
    let mut lines = Vec::new();
    for call in ["claim", "start", "heartbeat", "complete", "error"] {
        let path = format!("POST /api/runner/jobs/{UNKNOWN}/{call}");
        lines.push(ask(&path).without("x-runner-id").with(json!({})).refused(400, "x-runner-id is missing"));
        lines.push(ask(&path).by("").with(json!({})).refused(400, "x-runner-id is empty"));
        lines.push(ask(&path).by(&"r".repeat(257)).with(json!({})).refused(400, "x-runner-id is longer"));
    }
    for call in ["verify", "jobs/available"] {
        let path = format!("GET /api/runner/{call}");
        lines.push(ask(path).without("x-runner-id").refused(400, "x-runner-id is missing"));
    }
    let heartbeat = |body: Value, part: &str| {
        ask(format!("POST /api/runner/jobs/{UNKNOWN}/heartbeat")).by("r").with(body).refused(400, part)
    };
    let number = "is not a whole number from 0 to 9007199254740991";
    for wrong in [json!(-1), json!(0.5), json!(1e300), json!("1"), json!([])] {
        let told = format!("progress_current {number}");
        lines.push(heartbeat(json!({ "progress_current": wrong, "progress_total": 2 }), &told));
        let told = format!("progress_total {number}");
        lines.push(heartbeat(json!({ "progress_current": 1, "progress_total": wrong }), &told));
    }
    lines.extend([
        heartbeat(json!({ "progress_current": 1 }), "progress_total is missing"),
        heartbeat(json!({ "console_output": 1 }), "console_output is not a string"),
        heartbeat(json!({ "lease": 0 }), "lease is not a whole number"),
        heartbeat(
            json!({ "console_output": "a", "console_append": "b" }),
            "console_append is given together",
        ),
        ask(format!("POST /api/runner/jobs/{UNKNOWN}/complete"))
            .by("r")
            .with(json!({ "console_output": "" }))
            .refused(400, "output_data is missing"),
        ask(format!("POST /api/runner/jobs/{UNKNOWN}/complete"))
            .by("r")
            .with(json!({ "output_data": "text" }))
            .refused(400, "output_data is not an object"),
        ask(format!("POST /api/runner/jobs/{UNKNOWN}/error"))
            .by("r")
            .with(json!({ "console_output": "" }))
            .refused(400, "error_message is missing"),
        ask(format!("POST /api/runner/jobs/{UNKNOWN}/start"))
            .by("r")
            .with(json!({}))
            .refused(400, "lease is missing"),
    ]);
    for id in [UNKNOWN, "no-id", "%FF"] {
        let call = |call: &str, body| ask(format!("POST /api/runner/jobs/{id}/{call}")).by("r").with(body);
        lines.push(call("claim", json!({})).in_vain(409));
        lines.push(call("heartbeat", json!({})).in_vain(400));
        lines.push(call("heartbeat", json!({ "lease": 1 })).in_vain(409));
        lines.push(call("complete", json!({ "output_data": {} })).in_vain(400));
        lines.push(call("error", json!({ "error_message": "e" })).in_vain(400));
        lines.push(call("start", json!({ "lease": 1 })).in_vain(409));
    }
    lines
}

fn questions() -> Vec<Line> {
    let batch = |body: Value, part| ask("POST /api/admin/jobs/batch-delete").with(body).refused(400, part);
    vec![
        ask("GET /api/admin/jobs?status=done").refused(400, "status is not one of pending, claimed"),
        ask("GET /api/admin/jobs?limit=0").refused(400, "limit is not a whole number"),
        ask("GET /api/admin/jobs?limit=1001").refused(400, "limit is not a whole number"),
        ask("GET /api/admin/jobs?limit=ten").refused(400, "limit is not a whole number"),
        ask("GET /api/runner/jobs/available?types[]=").by("r").refused(400, "types[] is empty"),
        batch(json!({}), "job_ids is missing"),
        batch(json!({ "job_ids": [] }), "job_ids is empty"),
        batch(json!({ "job_ids": "all" }), "job_ids is not a list of strings"),
        batch(json!({ "job_ids": [1] }), "job_ids has an entry that is not a string"),
        batch(json!({ "job_ids": vec!["x"; 1001] }), "job_ids has more than 1000 entries"),
    ]
}

fn paths() -> Vec<Line> {
    let mut lines = Vec::new();
    for id in [UNKNOWN, "no-id", "%FF", "%00", "%F0%9F%9A%80"] {
        lines.push(ask(format!("GET /api/jobs/{id}")).refused(404, "no such job"));
        lines.push(ask(format!("GET /api/jobs/{id}/events")).refused(404, "no such job"));
        lines.push(ask(format!("POST /api/jobs/{id}/cancel")).refused(404, "no such job"));
        lines.push(ask(format!("GET /api/admin/jobs/{id}")).refused(404, "no such job"));
        lines.push(ask(format!("DELETE /api/admin/jobs/{id}")).refused(404, "no such job"));
    }
    for path in ["/api/", "/api/jobs", "/api/jobs/a/b/c", "/api/runner", "/api/admin/nothing", "/api/nothing"]
    {
        lines.push(ask(format!("GET {path}")).refused(404, "no such path"));
    }
    lines.push(ask("DELETE /api/jobs/submit").refused(405, "does not support that method"));
    lines.push(ask("GET /api/runner/register").refused(405, "does not support that method"));
    lines
}
