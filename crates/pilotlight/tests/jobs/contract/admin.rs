//! Script of the admin endpoints: lists, details, counts, deletions.

use serde_json::{Value, json};

use super::script::{Step, request};

fn submit(number: u32, name: &str) -> Step {
    let new = json!({ "job_id": name, "status": "pending", "message": "<text>" });
    request("POST /api/jobs/submit")
        .with_body(json!({ "job_type": "count", "input_params": { "n": number } }))
        .responds(201, new)
}

fn row(job: &str, status: &str, claimed_by: Value) -> Value {
    json!({
        "job_id": job, "job_type": "count", "status": status, "created_at": "<time>", "updated_at": "<time>",
        "claimed_by": claimed_by,
    })
}

/// The fields of a row, and those that only the details of a job have.
fn details(row: &Value, extra: &Value) -> Value {
    let mut details = row.clone();
    let defaults = json!({
        "priority": 0, "run_at": "<time>", "max_attempts": 1, "losses": 0, "callers": 1, "attempts": 1,
    });
    for fields in [&defaults, extra] {
        let (details, fields) = (details.as_object_mut().unwrap(), fields.as_object().unwrap());
        details.extend(fields.clone());
    }
    details
}

fn counts(jobs: [u64; 6], runners: (u64, u64)) -> Value {
    let [pending, claimed, in_progress, completed, failed, expired] = jobs;
    json!({
        "jobs": {
            "pending": pending, "claimed": claimed, "in_progress": in_progress, "completed": completed,
            "failed": failed, "expired": expired, "total": jobs.iter().sum::<u64>(),
        },
        "runners": { "total": runners.0, "active": runners.1 },
    })
}

pub(super) fn script() -> Vec<Step> {
    [empty(), lists(), job_details(), runners(), deletions()].into_iter().flatten().collect()
}

fn empty() -> Vec<Step> {
    vec![
        request("GET /api/admin/jobs").responds(200, json!({ "jobs": [], "total": 0 })),
        request("GET /api/admin/runners").responds(200, json!({ "runners": [], "total": 0 })),
        request("GET /api/admin/stats").responds(200, counts([0; 6], (0, 0))),
    ]
}

fn lists() -> Vec<Step> {
    let (a, b, c, d) = (
        || row("{a}", "completed", json!("{runner}")),
        || row("{b}", "failed", json!("{runner}")),
        || row("{c}", "in_progress", json!("{runner}")),
        || row("{d}", "pending", Value::Null),
    );
    vec![
        request("POST /api/runner/register")
            .without_header("x-runner-id")
            .with_body(json!({ "name": "counter", "capabilities": ["count"] }))
            .responds(201, json!({ "runner_id": "<runner:>", "message": "<text>" })),
        submit(1, "<a:>"),
        submit(2, "<b:>"),
        submit(3, "<c:>"),
        submit(4, "<d:>"),
        request("POST /api/runner/jobs/{a}/claim"),
        request("POST /api/runner/jobs/{a}/complete")
            .with_body(json!({ "output_data": { "is": 1 }, "console_output": "one" })),
        request("POST /api/runner/jobs/{b}/claim"),
        request("POST /api/runner/jobs/{b}/error")
            .with_body(json!({ "error_message": "two", "console_output": "oh" })),
        request("POST /api/runner/jobs/{c}/claim"),
        request("POST /api/runner/jobs/{c}/heartbeat")
            .with_body(json!({ "progress_current": 1, "progress_total": 3, "console_output": "so far" })),
        request("GET /api/admin/jobs").responds(200, json!({ "jobs": [d(), c(), b(), a()], "total": 4 })),
        request("GET /api/admin/jobs?limit=2").responds(200, json!({ "jobs": [d(), c()], "total": 4 })),
        request("GET /api/admin/jobs?status=&limit=")
            .responds(200, json!({ "jobs": [d(), c(), b(), a()], "total": 4 })),
        request("GET /api/admin/jobs?status=failed").responds(200, json!({ "jobs": [b()], "total": 1 })),
        request("GET /api/admin/jobs?status=in_progress&limit=1000")
            .responds(200, json!({ "jobs": [c()], "total": 1 })),
        request("GET /api/admin/jobs?status=expired").responds(200, json!({ "jobs": [], "total": 0 })),
        request("GET /api/admin/stats").responds(200, counts([1, 0, 1, 1, 1, 0], (1, 1))),
    ]
}

fn job_details() -> Vec<Step> {
    vec![
        request("GET /api/admin/jobs/{a}").responds(
            200,
            details(
                &row("{a}", "completed", json!("{runner}")),
                &json!({
                    "input_params": { "n": 1 }, "claimed_at": "<time>", "console_output": "one",
                    "output_data": { "is": 1 }, "last_heartbeat": null, "ended_at": "<time>",
                    "took_ms": "<any>",
                }),
            ),
        ),
        request("GET /api/admin/jobs/{b}").responds(
            200,
            details(
                &row("{b}", "failed", json!("{runner}")),
                &json!({
                    "input_params": { "n": 2 }, "claimed_at": "<time>", "console_output": "oh",
                    "error_message": "two", "last_heartbeat": null, "ended_at": "<time>",
                }),
            ),
        ),
        request("GET /api/admin/jobs/{c}").responds(
            200,
            details(
                &row("{c}", "in_progress", json!("{runner}")),
                &json!({
                    "input_params": { "n": 3 }, "claimed_at": "<time>", "console_output": "so far",
                    "progress": { "current": 1, "total": 3 }, "last_heartbeat": "<time>",
                }),
            ),
        ),
        request("GET /api/admin/jobs/{d}").responds(
            200,
            details(
                &row("{d}", "pending", Value::Null),
                &json!({
                    "input_params": { "n": 4 }, "claimed_at": null, "console_output": "",
                    "last_heartbeat": null, "attempts": 0, "ready_at": "<time>",
                }),
            ),
        ),
    ]
}

fn runners() -> Vec<Step> {
    let counter = || {
        json!({
            "runner_id": "{runner}", "name": "counter", "capabilities": ["count"], "last_seen": "<time>",
            "is_active": true,
        })
    };
    let mut with_jobs = counter();
    with_jobs["registered_at"] = json!("<time>");
    with_jobs["jobs"] = json!([
        row("{c}", "in_progress", json!("{runner}")),
        row("{b}", "failed", json!("{runner}")),
        row("{a}", "completed", json!("{runner}")),
    ]);
    vec![
        request("GET /api/admin/runners").responds(200, json!({ "runners": [counter()], "total": 1 })),
        request("GET /api/admin/runners/{runner}").responds(200, with_jobs),
        request("GET /api/admin/runners/unknown-runner").refused(404, "no runner"),
        request("GET /api/admin/runners/%FF").refused(404, "no runner"),
    ]
}

fn deletions() -> Vec<Step> {
    let batch =
        |ids: Value| request("POST /api/admin/jobs/batch-delete").with_body(json!({ "job_ids": ids }));
    let unknown = "0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";
    vec![
        request("DELETE /api/admin/jobs/{a}").responds(200, json!({ "success": true, "message": "<text>" })),
        request("DELETE /api/admin/jobs/{a}").refused(404, "no such job"),
        request("GET /api/admin/jobs/{a}").refused(404, "no such job"),
        request("GET /api/jobs/{a}").refused(404, "no such job"),
        batch(json!(["{b}", unknown, "no id", "{c}"])).responds(
            200,
            json!({ "success": false, "deleted": 2, "failed": [unknown, "no id"], "message": "<text>" }),
        ),
        // The runner of a deleted job gets an error for its next heartbeat.
        request("POST /api/runner/jobs/{c}/heartbeat").with_body(json!({})).rejected(400),
        batch(json!(["{d}", "{d}"]))
            .responds(200, json!({ "success": true, "deleted": 1, "failed": [], "message": "<text>" })),
        batch(json!(["no id"])).responds(
            200,
            json!({ "success": false, "deleted": 0, "failed": ["no id"], "message": "<text>" }),
        ),
        request("GET /api/admin/stats").responds(200, counts([0; 6], (1, 1))),
    ]
}
