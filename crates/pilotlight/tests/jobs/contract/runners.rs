//! Script of the runner endpoints: register, verify, available, claim, heartbeat, complete, error.

use serde_json::{Value, json};

use super::script::{Step, request};

fn submit(job_type: &str, number: u32) -> Step {
    request("POST /api/jobs/submit")
        .with_body(json!({ "job_type": job_type, "input_params": { "n": number } }))
}

fn accepted() -> Value {
    json!({ "success": true, "message": "<text>" })
}

pub(super) fn script() -> Vec<Step> {
    [registering(), available(), executing(), late_reports(), failing()].into_iter().flatten().collect()
}

fn registering() -> Vec<Step> {
    vec![
        request("POST /api/runner/register")
            .without_header("x-runner-id")
            .with_body(json!({ "name": "one", "capabilities": ["add", "multiply"] }))
            .responds(201, json!({ "runner_id": "<runner:>", "message": "<text>" })),
        request("POST /api/runner/register")
            .without_header("x-runner-id")
            .with_body(json!({ "name": "one", "capabilities": [] }))
            .responds(201, json!({ "runner_id": "<other:>", "message": "<text>" })),
        request("GET /api/runner/verify")
            .responds(200, json!({ "exists": true, "runner_name": "one", "message": "<text>" })),
        request("GET /api/runner/verify")
            .sent_by("unknown-runner")
            .responds(404, json!({ "exists": false, "message": "<text>" })),
    ]
}

fn available() -> Vec<Step> {
    let available_job = |job: &str, job_type: &str, number: u32| {
        json!({
            "job_id": job, "job_type": job_type, "input_params": { "n": number }, "created_at": "<time>",
        })
    };
    let new = |name: &str| json!({ "job_id": name, "status": "pending", "message": "<text>" });
    vec![
        submit("add", 1).responds(201, new("<first:>")),
        submit("multiply", 2).responds(201, new("<second:>")),
        submit("add", 3).responds(201, new("<third:>")),
        request("GET /api/runner/jobs/available").responds(200, json!({ "jobs": [] })),
        request("GET /api/runner/jobs/available?types[]=add").responds(
            200,
            json!({ "jobs": [available_job("{first}", "add", 1), available_job("{third}", "add", 3)] }),
        ),
        request("GET /api/runner/jobs/available?types%5B%5D=multiply&types%5B%5D=divide")
            .responds(200, json!({ "jobs": [available_job("{second}", "multiply", 2)] })),
        request("GET /api/runner/jobs/available?types[]=multiply&types[]=add").responds(
            200,
            json!({
                "jobs": [
                    available_job("{first}", "add", 1),
                    available_job("{second}", "multiply", 2),
                    available_job("{third}", "add", 3),
                ],
            }),
        ),
        request("GET /api/runner/jobs/available?types[]=nothing").responds(200, json!({ "jobs": [] })),
    ]
}

fn executing() -> Vec<Step> {
    let output = r#"{"output_data": {"n": 1, "list": []}, "console_output": "done"}"#;
    vec![
        request("POST /api/runner/jobs/{first}/claim").responds(
            200,
            json!({
                "success": true, "message": "<text>",
                "job": { "job_id": "{first}", "job_type": "add", "input_params": { "n": 1 } },
            }),
        ),
        request("POST /api/runner/jobs/{first}/claim").rejected(409),
        request("POST /api/runner/jobs/{first}/claim").sent_by("another").rejected(409),
        request("GET /api/runner/jobs/available?types[]=multiply").responds(
            200,
            json!({
                "jobs": [{
                    "job_id": "{second}", "job_type": "multiply", "input_params": { "n": 2 },
                    "created_at": "<time>",
                }],
            }),
        ),
        request("POST /api/runner/jobs/{first}/heartbeat")
            .with_body(json!({ "progress_current": 0, "progress_total": 0, "console_output": "" }))
            .responds(200, accepted()),
        request("POST /api/runner/jobs/{first}/heartbeat").with_body(json!({})).responds(200, accepted()),
        request("POST /api/runner/jobs/{first}/heartbeat")
            .sent_by("another")
            .with_body(json!({ "progress_current": 1, "progress_total": 2, "console_output": "" }))
            .rejected(400),
        request("POST /api/runner/jobs/{first}/complete")
            .sent_by("another")
            .with_raw_body(output)
            .rejected(400),
        request("POST /api/runner/jobs/{first}/error")
            .sent_by("another")
            .with_body(json!({ "error_message": "no", "console_output": "" }))
            .rejected(400),
        request("POST /api/runner/jobs/{first}/complete").with_raw_body(output).responds(200, accepted()),
    ]
}

fn late_reports() -> Vec<Step> {
    let complete = |output: &str| request("POST /api/runner/jobs/{first}/complete").with_raw_body(output);
    vec![
        // A runner repeats its result when the first response was lost.
        complete(r#"{"output_data": {"n": 1, "list": []}, "console_output": "done"}"#)
            .responds(200, accepted()),
        complete(r#"{"output_data": {"list": [], "n": 1.0}, "console_output": "done"}"#)
            .responds(200, accepted()),
        complete(r#"{"output_data": {"n": 2, "list": []}, "console_output": "done"}"#).rejected(400),
        complete(r#"{"output_data": {"n": 1, "list": []}, "console_output": "done"}"#)
            .sent_by("another")
            .rejected(400),
        request("POST /api/runner/jobs/{first}/heartbeat").with_body(json!({})).rejected(400),
        request("POST /api/runner/jobs/{first}/error")
            .with_body(json!({ "error_message": "late" }))
            .rejected(400),
        request("POST /api/runner/jobs/{first}/claim").rejected(409),
        request("POST /api/runner/jobs/{second}/heartbeat").with_body(json!({})).rejected(400),
        request("POST /api/runner/jobs/{second}/complete")
            .with_body(json!({ "output_data": {} }))
            .rejected(400),
    ]
}

fn failing() -> Vec<Step> {
    let report = || json!({ "error_message": "no memory", "console_output": "" });
    vec![
        request("POST /api/runner/jobs/{third}/claim").sent_by("never-registered"),
        request("POST /api/runner/jobs/{third}/error")
            .sent_by("never-registered")
            .with_body(report())
            .responds(200, accepted()),
        request("POST /api/runner/jobs/{third}/error")
            .sent_by("never-registered")
            .with_body(report())
            .responds(200, accepted()),
        request("POST /api/runner/jobs/{third}/error")
            .sent_by("never-registered")
            .with_body(json!({ "error_message": "another reason" }))
            .rejected(400),
        request("POST /api/runner/jobs/{third}/complete")
            .sent_by("never-registered")
            .with_body(json!({ "output_data": {} }))
            .rejected(400),
    ]
}
