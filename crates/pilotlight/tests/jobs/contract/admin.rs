//! Operators: lists, details, counts, deletions.

use serde_json::{Value, json};

use super::script::{Line, ask};

fn submit(number: u32, name: &str) -> Line {
    let new = json!({ "job_id": name, "status": "pending", "message": "<text>" });
    ask("POST /api/jobs/submit")
        .with(json!({ "job_type": "count", "input_params": { "n": number } }))
        .responds(201, new)
}

fn row(job: &str, status: &str, claimed_by: Value) -> Value {
    json!({
        "job_id": job, "job_type": "count", "status": status, "created_at": "<time>", "updated_at": "<time>",
        "claimed_by": claimed_by,
    })
}

/// A row, and what only details tell.
fn details(row: &Value, more: &Value) -> Value {
    let mut details = row.clone();
    let ours = json!({
        "priority": 0, "run_at": "<time>", "max_attempts": 1, "losses": 0, "callers": 1, "attempts": 1,
    });
    for fields in [&ours, more] {
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

pub(super) fn script() -> Vec<Line> {
    [empty(), lists(), one(), runners(), deletions()].into_iter().flatten().collect()
}

fn empty() -> Vec<Line> {
    vec![
        ask("GET /api/admin/jobs").responds(200, json!({ "jobs": [], "total": 0 })),
        ask("GET /api/admin/runners").responds(200, json!({ "runners": [], "total": 0 })),
        ask("GET /api/admin/stats").responds(200, counts([0; 6], (0, 0))),
    ]
}

fn lists() -> Vec<Line> {
    let (a, b, c, d) = (
        || row("{a}", "completed", json!("{runner}")),
        || row("{b}", "failed", json!("{runner}")),
        || row("{c}", "in_progress", json!("{runner}")),
        || row("{d}", "pending", Value::Null),
    );
    vec![
        ask("POST /api/runner/register")
            .without("x-runner-id")
            .with(json!({ "name": "counter", "capabilities": ["count"] }))
            .responds(201, json!({ "runner_id": "<runner:>", "message": "<text>" })),
        submit(1, "<a:>"),
        submit(2, "<b:>"),
        submit(3, "<c:>"),
        submit(4, "<d:>"),
        ask("POST /api/runner/jobs/{a}/claim"),
        ask("POST /api/runner/jobs/{a}/complete")
            .with(json!({ "output_data": { "is": 1 }, "console_output": "one" })),
        ask("POST /api/runner/jobs/{b}/claim"),
        ask("POST /api/runner/jobs/{b}/error")
            .with(json!({ "error_message": "two", "console_output": "oh" })),
        ask("POST /api/runner/jobs/{c}/claim"),
        ask("POST /api/runner/jobs/{c}/heartbeat")
            .with(json!({ "progress_current": 1, "progress_total": 3, "console_output": "so far" })),
        ask("GET /api/admin/jobs").responds(200, json!({ "jobs": [d(), c(), b(), a()], "total": 4 })),
        ask("GET /api/admin/jobs?limit=2").responds(200, json!({ "jobs": [d(), c()], "total": 4 })),
        ask("GET /api/admin/jobs?status=&limit=")
            .responds(200, json!({ "jobs": [d(), c(), b(), a()], "total": 4 })),
        ask("GET /api/admin/jobs?status=failed").responds(200, json!({ "jobs": [b()], "total": 1 })),
        ask("GET /api/admin/jobs?status=in_progress&limit=1000")
            .responds(200, json!({ "jobs": [c()], "total": 1 })),
        ask("GET /api/admin/jobs?status=expired").responds(200, json!({ "jobs": [], "total": 0 })),
        ask("GET /api/admin/stats").responds(200, counts([1, 0, 1, 1, 1, 0], (1, 1))),
    ]
}

fn one() -> Vec<Line> {
    let held = |row: Value, more: Value| details(&row, &more);
    vec![
        ask("GET /api/admin/jobs/{a}").responds(
            200,
            held(
                row("{a}", "completed", json!("{runner}")),
                json!({
                    "input_params": { "n": 1 }, "claimed_at": "<time>", "console_output": "one",
                    "output_data": { "is": 1 }, "last_heartbeat": null, "ended_at": "<time>",
                    "took_ms": "<any>",
                }),
            ),
        ),
        ask("GET /api/admin/jobs/{b}").responds(
            200,
            held(
                row("{b}", "failed", json!("{runner}")),
                json!({
                    "input_params": { "n": 2 }, "claimed_at": "<time>", "console_output": "oh",
                    "error_message": "two", "last_heartbeat": null, "ended_at": "<time>",
                }),
            ),
        ),
        ask("GET /api/admin/jobs/{c}").responds(
            200,
            held(
                row("{c}", "in_progress", json!("{runner}")),
                json!({
                    "input_params": { "n": 3 }, "claimed_at": "<time>", "console_output": "so far",
                    "progress": { "current": 1, "total": 3 }, "last_heartbeat": "<time>",
                }),
            ),
        ),
        ask("GET /api/admin/jobs/{d}").responds(
            200,
            held(
                row("{d}", "pending", Value::Null),
                json!({
                    "input_params": { "n": 4 }, "claimed_at": null, "console_output": "",
                    "last_heartbeat": null, "attempts": 0, "ready_at": "<time>",
                }),
            ),
        ),
    ]
}

fn runners() -> Vec<Line> {
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
        ask("GET /api/admin/runners").responds(200, json!({ "runners": [counter()], "total": 1 })),
        ask("GET /api/admin/runners/{runner}").responds(200, with_jobs),
        ask("GET /api/admin/runners/nobody").refused(404, "no runner"),
        ask("GET /api/admin/runners/%FF").refused(404, "no runner"),
    ]
}

fn deletions() -> Vec<Line> {
    let batch = |ids: Value| ask("POST /api/admin/jobs/batch-delete").with(json!({ "job_ids": ids }));
    let unknown = "0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";
    vec![
        ask("DELETE /api/admin/jobs/{a}").responds(200, json!({ "success": true, "message": "<text>" })),
        ask("DELETE /api/admin/jobs/{a}").refused(404, "no such job"),
        ask("GET /api/admin/jobs/{a}").refused(404, "no such job"),
        ask("GET /api/jobs/{a}").refused(404, "no such job"),
        batch(json!(["{b}", unknown, "no id", "{c}"])).responds(
            200,
            json!({ "success": false, "deleted": 2, "failed": [unknown, "no id"], "message": "<text>" }),
        ),
        // Its runner learns of it.
        ask("POST /api/runner/jobs/{c}/heartbeat").with(json!({})).in_vain(400),
        batch(json!(["{d}", "{d}"]))
            .responds(200, json!({ "success": true, "deleted": 1, "failed": [], "message": "<text>" })),
        batch(json!(["no id"])).responds(
            200,
            json!({ "success": false, "deleted": 0, "failed": ["no id"], "message": "<text>" }),
        ),
        ask("GET /api/admin/stats").responds(200, counts([0; 6], (1, 1))),
    ]
}
