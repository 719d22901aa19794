//! Script of invalid requests: each is refused with an error that names what is wrong.

use serde_json::{Value, json};

use super::script::{Step, request};

const UNKNOWN: &str = "0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";

pub(super) fn script() -> Vec<Step> {
    [
        malformed_bodies(),
        submissions(),
        options(),
        registrations(),
        runner_requests(),
        admin_requests(),
        paths(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn malformed_bodies() -> Vec<Step> {
    let refused = |body: &str, part| request("POST /api/jobs/submit").with_raw_body(body).refused(400, part);
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

fn submissions() -> Vec<Step> {
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
    let mut steps: Vec<_> = calls
        .iter()
        .flat_map(|call| {
            wrong.iter().map(|(body, part)| request(*call).with_body(body.clone()).refused(400, part))
        })
        .collect();
    let twice = r#"{"job_type": "a", "input_params": {"x": {"y": 1, "y": 1}}}"#;
    steps.push(
        request("POST /api/jobs/submit").with_raw_body(twice).refused(400, "input_params has a name twice"),
    );
    let deep = format!(r#"{{"job_type": "a", "input_params": {}{}}}"#, "[".repeat(129), "]".repeat(129));
    steps.push(
        request("POST /api/jobs/submit").with_raw_body(deep).refused(400, "nested deeper than 128 levels"),
    );
    // Fields that the service does not know, such as those of a newer client, are ignored.
    let newer = json!({ "job_type": "a", "input_params": {}, "colour": { "of": "the sky" } });
    steps.push(
        request("POST /api/jobs/check")
            .with_body(newer)
            .responds(200, json!({ "exists": false, "message": "<text>" })),
    );
    steps
}

fn options() -> Vec<Step> {
    let with = |name: &str, value: Value| {
        let mut body = json!({ "job_type": "a", "input_params": { "option": name } });
        body[name] = value;
        request("POST /api/jobs/submit").with_body(body).refused(400, &format!("{name} is n"))
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
        request("POST /api/jobs/submit?wait_ms=600001")
            .with_body(json!({ "job_type": "a", "input_params": {} }))
            .refused(400, "wait_ms is not a whole number"),
        request("POST /api/jobs/submit?wait_ms=1&wait_ms=2")
            .with_body(json!({ "job_type": "a", "input_params": {} }))
            .refused(400, "wait_ms is given twice"),
        request("POST /api/jobs/submit")
            .with_header("idempotency-key", "k".repeat(257))
            .with_body(json!({ "job_type": "a", "input_params": {} }))
            .refused(400, "idempotency-key is not 1 to 256 bytes long"),
        request("GET /api/admin/stats").responds(
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

fn registrations() -> Vec<Step> {
    let wrong = |body: Value, part| {
        request("POST /api/runner/register").without_header("x-runner-id").with_body(body).refused(400, part)
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

fn runner_requests() -> Vec<Step> {
    let mut steps = Vec::new();
    for call in ["claim", "start", "heartbeat", "complete", "error"] {
        let path = format!("POST /api/runner/jobs/{UNKNOWN}/{call}");
        steps.push(
            request(&path)
                .without_header("x-runner-id")
                .with_body(json!({}))
                .refused(400, "x-runner-id is missing"),
        );
        steps.push(request(&path).sent_by("").with_body(json!({})).refused(400, "x-runner-id is empty"));
        steps.push(
            request(&path)
                .sent_by(&"r".repeat(257))
                .with_body(json!({}))
                .refused(400, "x-runner-id is longer"),
        );
    }
    for call in ["verify", "jobs/available"] {
        let path = format!("GET /api/runner/{call}");
        steps.push(request(path).without_header("x-runner-id").refused(400, "x-runner-id is missing"));
    }
    let heartbeat = |body: Value, part: &str| {
        request(format!("POST /api/runner/jobs/{UNKNOWN}/heartbeat"))
            .sent_by("r")
            .with_body(body)
            .refused(400, part)
    };
    let number = "is not a whole number from 0 to 9007199254740991";
    for wrong in [json!(-1), json!(0.5), json!(1e300), json!("1"), json!([])] {
        let expected_error = format!("progress_current {number}");
        steps.push(heartbeat(json!({ "progress_current": wrong, "progress_total": 2 }), &expected_error));
        let expected_error = format!("progress_total {number}");
        steps.push(heartbeat(json!({ "progress_current": 1, "progress_total": wrong }), &expected_error));
    }
    steps.extend([
        heartbeat(json!({ "progress_current": 1 }), "progress_total is missing"),
        heartbeat(json!({ "console_output": 1 }), "console_output is not a string"),
        heartbeat(json!({ "lease": 0 }), "lease is not a whole number"),
        heartbeat(
            json!({ "console_output": "a", "console_append": "b" }),
            "console_append is given together",
        ),
        request(format!("POST /api/runner/jobs/{UNKNOWN}/complete"))
            .sent_by("r")
            .with_body(json!({ "console_output": "" }))
            .refused(400, "output_data is missing"),
        request(format!("POST /api/runner/jobs/{UNKNOWN}/complete"))
            .sent_by("r")
            .with_body(json!({ "output_data": "text" }))
            .refused(400, "output_data is not an object"),
        request(format!("POST /api/runner/jobs/{UNKNOWN}/error"))
            .sent_by("r")
            .with_body(json!({ "console_output": "" }))
            .refused(400, "error_message is missing"),
        request(format!("POST /api/runner/jobs/{UNKNOWN}/start"))
            .sent_by("r")
            .with_body(json!({}))
            .refused(400, "lease is missing"),
    ]);
    for id in [UNKNOWN, "no-id", "%FF"] {
        let call = |call: &str, body| {
            request(format!("POST /api/runner/jobs/{id}/{call}")).sent_by("r").with_body(body)
        };
        steps.push(call("claim", json!({})).rejected(409));
        steps.push(call("heartbeat", json!({})).rejected(400));
        steps.push(call("heartbeat", json!({ "lease": 1 })).rejected(409));
        steps.push(call("complete", json!({ "output_data": {} })).rejected(400));
        steps.push(call("error", json!({ "error_message": "e" })).rejected(400));
        steps.push(call("start", json!({ "lease": 1 })).rejected(409));
    }
    steps
}

fn admin_requests() -> Vec<Step> {
    let batch =
        |body: Value, part| request("POST /api/admin/jobs/batch-delete").with_body(body).refused(400, part);
    vec![
        request("GET /api/admin/jobs?status=done").refused(400, "status is not one of pending, claimed"),
        request("GET /api/admin/jobs?limit=0").refused(400, "limit is not a whole number"),
        request("GET /api/admin/jobs?limit=1001").refused(400, "limit is not a whole number"),
        request("GET /api/admin/jobs?limit=ten").refused(400, "limit is not a whole number"),
        request("GET /api/runner/jobs/available?types[]=").sent_by("r").refused(400, "types[] is empty"),
        batch(json!({}), "job_ids is missing"),
        batch(json!({ "job_ids": [] }), "job_ids is empty"),
        batch(json!({ "job_ids": "all" }), "job_ids is not a list of strings"),
        batch(json!({ "job_ids": [1] }), "job_ids has an entry that is not a string"),
        batch(json!({ "job_ids": vec!["x"; 1001] }), "job_ids has more than 1000 entries"),
    ]
}

fn paths() -> Vec<Step> {
    let mut steps = Vec::new();
    for id in [UNKNOWN, "no-id", "%FF", "%00", "%F0%9F%9A%80"] {
        steps.push(request(format!("GET /api/jobs/{id}")).refused(404, "no such job"));
        steps.push(request(format!("GET /api/jobs/{id}/events")).refused(404, "no such job"));
        steps.push(request(format!("POST /api/jobs/{id}/cancel")).refused(404, "no such job"));
        steps.push(request(format!("GET /api/admin/jobs/{id}")).refused(404, "no such job"));
        steps.push(request(format!("DELETE /api/admin/jobs/{id}")).refused(404, "no such job"));
    }
    for path in ["/api/", "/api/jobs", "/api/jobs/a/b/c", "/api/runner", "/api/admin/nothing", "/api/nothing"]
    {
        steps.push(request(format!("GET {path}")).refused(404, "no such path"));
    }
    steps.push(request("DELETE /api/jobs/submit").refused(405, "does not support that method"));
    steps.push(request("GET /api/runner/register").refused(405, "does not support that method"));
    steps
}
