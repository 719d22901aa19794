//! Runners: register, verify, available, claim, heartbeat, complete, error.

use serde_json::{Value, json};

use super::script::{Line, ask};

fn submit(job_type: &str, number: u32) -> Line {
    ask("POST /api/jobs/submit").with(json!({ "job_type": job_type, "input_params": { "n": number } }))
}

fn taken() -> Value {
    json!({ "success": true, "message": "<text>" })
}

pub(super) fn script() -> Vec<Line> {
    [registering(), available(), executing(), too_late(), failing()].into_iter().flatten().collect()
}

fn registering() -> Vec<Line> {
    vec![
        ask("POST /api/runner/register")
            .without("x-runner-id")
            .with(json!({ "name": "one", "capabilities": ["add", "multiply"] }))
            .responds(201, json!({ "runner_id": "<runner:>", "message": "<text>" })),
        ask("POST /api/runner/register")
            .without("x-runner-id")
            .with(json!({ "name": "one", "capabilities": [] }))
            .responds(201, json!({ "runner_id": "<other:>", "message": "<text>" })),
        ask("GET /api/runner/verify")
            .responds(200, json!({ "exists": true, "runner_name": "one", "message": "<text>" })),
        ask("GET /api/runner/verify")
            .by("nobody")
            .responds(404, json!({ "exists": false, "message": "<text>" })),
    ]
}

fn available() -> Vec<Line> {
    let on_offer = |job: &str, job_type: &str, number: u32| {
        json!({
            "job_id": job, "job_type": job_type, "input_params": { "n": number }, "created_at": "<time>",
        })
    };
    let new = |name: &str| json!({ "job_id": name, "status": "pending", "message": "<text>" });
    vec![
        submit("add", 1).responds(201, new("<first:>")),
        submit("multiply", 2).responds(201, new("<second:>")),
        submit("add", 3).responds(201, new("<third:>")),
        ask("GET /api/runner/jobs/available").responds(200, json!({ "jobs": [] })),
        ask("GET /api/runner/jobs/available?types[]=add")
            .responds(200, json!({ "jobs": [on_offer("{first}", "add", 1), on_offer("{third}", "add", 3)] })),
        ask("GET /api/runner/jobs/available?types%5B%5D=multiply&types%5B%5D=divide")
            .responds(200, json!({ "jobs": [on_offer("{second}", "multiply", 2)] })),
        ask("GET /api/runner/jobs/available?types[]=multiply&types[]=add").responds(
            200,
            json!({
                "jobs": [
                    on_offer("{first}", "add", 1),
                    on_offer("{second}", "multiply", 2),
                    on_offer("{third}", "add", 3),
                ],
            }),
        ),
        ask("GET /api/runner/jobs/available?types[]=nothing").responds(200, json!({ "jobs": [] })),
    ]
}

fn executing() -> Vec<Line> {
    let output = r#"{"output_data": {"n": 1, "list": []}, "console_output": "done"}"#;
    vec![
        ask("POST /api/runner/jobs/{first}/claim").responds(
            200,
            json!({
                "success": true, "message": "<text>",
                "job": { "job_id": "{first}", "job_type": "add", "input_params": { "n": 1 } },
            }),
        ),
        ask("POST /api/runner/jobs/{first}/claim").in_vain(409),
        ask("POST /api/runner/jobs/{first}/claim").by("another").in_vain(409),
        ask("GET /api/runner/jobs/available?types[]=multiply").responds(
            200,
            json!({
                "jobs": [{
                    "job_id": "{second}", "job_type": "multiply", "input_params": { "n": 2 },
                    "created_at": "<time>",
                }],
            }),
        ),
        ask("POST /api/runner/jobs/{first}/heartbeat")
            .with(json!({ "progress_current": 0, "progress_total": 0, "console_output": "" }))
            .responds(200, taken()),
        ask("POST /api/runner/jobs/{first}/heartbeat").with(json!({})).responds(200, taken()),
        ask("POST /api/runner/jobs/{first}/heartbeat")
            .by("another")
            .with(json!({ "progress_current": 1, "progress_total": 2, "console_output": "" }))
            .in_vain(400),
        ask("POST /api/runner/jobs/{first}/complete").by("another").raw(output).in_vain(400),
        ask("POST /api/runner/jobs/{first}/error")
            .by("another")
            .with(json!({ "error_message": "no", "console_output": "" }))
            .in_vain(400),
        ask("POST /api/runner/jobs/{first}/complete").raw(output).responds(200, taken()),
    ]
}

fn too_late() -> Vec<Line> {
    let complete = |output: &str| ask("POST /api/runner/jobs/{first}/complete").raw(output);
    vec![
        // Its first answer may have been lost.
        complete(r#"{"output_data": {"n": 1, "list": []}, "console_output": "done"}"#).responds(200, taken()),
        complete(r#"{"output_data": {"list": [], "n": 1.0}, "console_output": "done"}"#)
            .responds(200, taken()),
        complete(r#"{"output_data": {"n": 2, "list": []}, "console_output": "done"}"#).in_vain(400),
        complete(r#"{"output_data": {"n": 1, "list": []}, "console_output": "done"}"#)
            .by("another")
            .in_vain(400),
        ask("POST /api/runner/jobs/{first}/heartbeat").with(json!({})).in_vain(400),
        ask("POST /api/runner/jobs/{first}/error").with(json!({ "error_message": "late" })).in_vain(400),
        ask("POST /api/runner/jobs/{first}/claim").in_vain(409),
        ask("POST /api/runner/jobs/{second}/heartbeat").with(json!({})).in_vain(400),
        ask("POST /api/runner/jobs/{second}/complete").with(json!({ "output_data": {} })).in_vain(400),
    ]
}

fn failing() -> Vec<Line> {
    let report = || json!({ "error_message": "no memory", "console_output": "" });
    vec![
        ask("POST /api/runner/jobs/{third}/claim").by("never-registered"),
        ask("POST /api/runner/jobs/{third}/error")
            .by("never-registered")
            .with(report())
            .responds(200, taken()),
        ask("POST /api/runner/jobs/{third}/error")
            .by("never-registered")
            .with(report())
            .responds(200, taken()),
        ask("POST /api/runner/jobs/{third}/error")
            .by("never-registered")
            .with(json!({ "error_message": "another reason" }))
            .in_vain(400),
        ask("POST /api/runner/jobs/{third}/complete")
            .by("never-registered")
            .with(json!({ "output_data": {} }))
            .in_vain(400),
    ]
}
