//! Callers: check, submit, status.

use serde_json::json;

use super::script::{Line, ask};

fn submit(params: &str) -> Line {
    ask("POST /api/jobs/submit").raw(format!(r#"{{"job_type": "sum", "input_params": {params}}}"#))
}

fn check(params: &str) -> Line {
    ask("POST /api/jobs/check").raw(format!(r#"{{"job_type": "sum", "input_params": {params}}}"#))
}

pub(super) fn script() -> Vec<Line> {
    [first_time(), equal_ones(), under_way(), completed(), failed()].into_iter().flatten().collect()
}

fn first_time() -> Vec<Line> {
    let known = json!({ "exists": true, "job_id": "{job}", "status": "pending", "message": "<text>" });
    let status = json!({
        "job_id": "{job}", "status": "pending", "job_type": "sum", "created_at": "<time>", "updated_at": "<time>",
    });
    vec![
        check(r#"{"a": 1, "b": [1, 2]}"#).responds(200, json!({ "exists": false, "message": "<text>" })),
        submit(r#"{"a": 1, "b": [1, 2]}"#)
            .responds(201, json!({ "job_id": "<job:>", "status": "pending", "message": "<text>" })),
        check(r#"{"a": 1, "b": [1, 2]}"#).responds(200, known),
        ask("GET /api/jobs/{job}").responds(200, status),
    ]
}

fn equal_ones() -> Vec<Line> {
    let known = || json!({ "job_id": "{job}", "status": "pending", "message": "<text>" });
    let new = || json!({ "job_id": "<other:>", "status": "pending", "message": "<text>" });
    vec![
        submit(r#"{"a": 1, "b": [1, 2]}"#).responds(200, known()),
        submit(r#"{"b":[1,2],"a":1}"#).responds(200, known()),
        submit(r#"{"a": 1.0, "b": [1e0, 20e-1]}"#).responds(200, known()),
        submit(r#"{"\u0061": 1, "b": [1, 2]}"#).responds(200, known()),
        submit(r#"{"a": 1, "b": [2, 1]}"#).responds(201, new()),
        submit(r#"{"a": "1", "b": [1, 2]}"#).responds(201, new()),
        submit("[]").responds(201, new()),
        submit("{}").responds(201, new()),
        ask("POST /api/jobs/submit")
            .raw(r#"{"job_type": "Sum", "input_params": {"a": 1, "b": [1, 2]}}"#)
            .responds(201, new()),
    ]
}

fn under_way() -> Vec<Line> {
    let claimed = json!({
        "job_id": "{job}", "status": "claimed", "job_type": "sum", "created_at": "<time>", "updated_at": "<time>",
    });
    let heard = json!({
        "job_id": "{job}", "status": "in_progress", "job_type": "sum", "created_at": "<time>",
        "updated_at": "<time>", "progress": { "current": 5, "total": 10 },
    });
    vec![
        ask("POST /api/runner/jobs/{job}/claim").by("r-1"),
        submit(r#"{"a": 1, "b": [1, 2]}"#)
            .responds(200, json!({ "job_id": "{job}", "status": "claimed", "message": "<text>" })),
        ask("GET /api/jobs/{job}").responds(200, claimed),
        ask("POST /api/runner/jobs/{job}/heartbeat").by("r-1").with(json!({
            "progress_current": 5, "progress_total": 10, "console_output": "half",
        })),
        submit(r#"{"a": 1, "b": [1, 2]}"#)
            .responds(200, json!({ "job_id": "{job}", "status": "in_progress", "message": "<text>" })),
        ask("GET /api/jobs/{job}").responds(200, heard),
    ]
}

fn completed() -> Vec<Line> {
    let result = || json!({ "output_data": { "sum": 3, "of": [1, 2] }, "console_output": "half\ndone" });
    vec![
        ask("POST /api/runner/jobs/{job}/complete")
            .by("r-1")
            .raw(r#"{"output_data": {"sum": 3, "of": [1, 2]}, "console_output": "half\ndone"}"#),
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
        ask("GET /api/jobs/{job}").responds(
            200,
            json!({
                "job_id": "{job}", "status": "completed", "job_type": "sum", "created_at": "<time>",
                "updated_at": "<time>", "result": result(),
            }),
        ),
    ]
}

fn failed() -> Vec<Line> {
    vec![
        submit(r#"{"a": 0}"#)
            .responds(201, json!({ "job_id": "<bad:>", "status": "pending", "message": "<text>" })),
        ask("POST /api/runner/jobs/{bad}/claim").by("r-1"),
        ask("POST /api/runner/jobs/{bad}/error")
            .by("r-1")
            .with(json!({ "error_message": "a is 0", "console_output": "Traceback" })),
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
        ask("GET /api/jobs/{bad}").responds(
            200,
            json!({
                "job_id": "{bad}", "status": "failed", "job_type": "sum", "created_at": "<time>",
                "updated_at": "<time>", "error": "a is 0",
            }),
        ),
    ]
}
