//! Script of the caller endpoints: check, submit, status.

use serde_json::json;

use super::script::{Step, request};

fn submit(params: &str) -> Step {
    request("POST /api/jobs/submit")
        .with_raw_body(format!(r#"{{"job_type": "sum", "input_params": {params}}}"#))
}

fn check(params: &str) -> Step {
    request("POST /api/jobs/check")
        .with_raw_body(format!(r#"{{"job_type": "sum", "input_params": {params}}}"#))
}

pub(super) fn script() -> Vec<Step> {
    [first_submission(), equal_submissions(), while_executing(), completed(), failed()]
        .into_iter()
        .flatten()
        .collect()
}

fn first_submission() -> Vec<Step> {
    let reused = json!({ "exists": true, "job_id": "{job}", "status": "pending", "message": "<text>" });
    let status = json!({
        "job_id": "{job}", "status": "pending", "job_type": "sum", "created_at": "<time>", "updated_at": "<time>",
    });
    vec![
        check(r#"{"a": 1, "b": [1, 2]}"#).responds(200, json!({ "exists": false, "message": "<text>" })),
        submit(r#"{"a": 1, "b": [1, 2]}"#)
            .responds(201, json!({ "job_id": "<job:>", "status": "pending", "message": "<text>" })),
        check(r#"{"a": 1, "b": [1, 2]}"#).responds(200, reused),
        request("GET /api/jobs/{job}").responds(200, status),
    ]
}

fn equal_submissions() -> Vec<Step> {
    let reused = || json!({ "job_id": "{job}", "status": "pending", "message": "<text>" });
    let new = || json!({ "job_id": "<other:>", "status": "pending", "message": "<text>" });
    vec![
        submit(r#"{"a": 1, "b": [1, 2]}"#).responds(200, reused()),
        submit(r#"{"b":[1,2],"a":1}"#).responds(200, reused()),
        submit(r#"{"a": 1.0, "b": [1e0, 20e-1]}"#).responds(200, reused()),
        submit(r#"{"\u0061": 1, "b": [1, 2]}"#).responds(200, reused()),
        submit(r#"{"a": 1, "b": [2, 1]}"#).responds(201, new()),
        submit(r#"{"a": "1", "b": [1, 2]}"#).responds(201, new()),
        submit("[]").responds(201, new()),
        submit("{}").responds(201, new()),
        request("POST /api/jobs/submit")
            .with_raw_body(r#"{"job_type": "Sum", "input_params": {"a": 1, "b": [1, 2]}}"#)
            .responds(201, new()),
    ]
}

fn while_executing() -> Vec<Step> {
    let claimed = json!({
        "job_id": "{job}", "status": "claimed", "job_type": "sum", "created_at": "<time>", "updated_at": "<time>",
    });
    let in_progress = json!({
        "job_id": "{job}", "status": "in_progress", "job_type": "sum", "created_at": "<time>",
        "updated_at": "<time>", "progress": { "current": 5, "total": 10 },
    });
    vec![
        request("POST /api/runner/jobs/{job}/claim").sent_by("r-1"),
        submit(r#"{"a": 1, "b": [1, 2]}"#)
            .responds(200, json!({ "job_id": "{job}", "status": "claimed", "message": "<text>" })),
        request("GET /api/jobs/{job}").responds(200, claimed),
        request("POST /api/runner/jobs/{job}/heartbeat").sent_by("r-1").with_body(json!({
            "progress_current": 5, "progress_total": 10, "console_output": "half",
        })),
        submit(r#"{"a": 1, "b": [1, 2]}"#)
            .responds(200, json!({ "job_id": "{job}", "status": "in_progress", "message": "<text>" })),
        request("GET /api/jobs/{job}").responds(200, in_progress),
    ]
}

fn completed() -> Vec<Step> {
    let result = || json!({ "output_data": { "sum": 3, "of": [1, 2] }, "console_output": "half\ndone" });
    vec![
        request("POST /api/runner/jobs/{job}/complete")
            .sent_by("r-1")
            .with_raw_body(r#"{"output_data": {"sum": 3, "of": [1, 2]}, "console_output": "half\ndone"}"#),
        submit(r#"{"a": 1, "b": [1, 2]}"#).responds(
            200,
            json!({ "job_id": "{job}", "status": "completed", "message": "<text>", "result": result() }),
        ),
        check(r#"{"b": [1, 2], "a": 1}"#).responds(
            200,
            json!({
                "exists": true, "job_id": "{job}", "status": "completed", "message": "<text>",
                "result": result(),
            }),
        ),
        request("GET /api/jobs/{job}").responds(
            200,
            json!({
                "job_id": "{job}", "status": "completed", "job_type": "sum", "created_at": "<time>",
                "updated_at": "<time>", "result": result(),
            }),
        ),
    ]
}

fn failed() -> Vec<Step> {
    vec![
        submit(r#"{"a": 0}"#)
            .responds(201, json!({ "job_id": "<bad:>", "status": "pending", "message": "<text>" })),
        request("POST /api/runner/jobs/{bad}/claim").sent_by("r-1"),
        request("POST /api/runner/jobs/{bad}/error")
            .sent_by("r-1")
            .with_body(json!({ "error_message": "a is 0", "console_output": "Traceback" })),
        submit(r#"{"a": 0}"#).responds(
            200,
            json!({ "job_id": "{bad}", "status": "failed", "message": "<text>", "error": "a is 0" }),
        ),
        check(r#"{"a": 0}"#).responds(
            200,
            json!({
                "exists": true, "job_id": "{bad}", "status": "failed", "message": "<text>", "error": "a is 0",
            }),
        ),
        request("GET /api/jobs/{bad}").responds(
            200,
            json!({
                "job_id": "{bad}", "status": "failed", "job_type": "sum", "created_at": "<time>",
                "updated_at": "<time>", "error": "a is 0",
            }),
        ),
    ]
}
