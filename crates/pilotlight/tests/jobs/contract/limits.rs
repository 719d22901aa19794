//! Script of the size limits: a field of the largest allowed size, and one of one byte more.

use serde_json::json;

use super::script::{Step, request};

const KIB: usize = 1024;

/// A JSON object that has this many bytes once its white space is removed.
fn object(bytes: usize) -> String {
    format!("{{ \"x\": \"{}\" }}", "x".repeat(bytes - r#"{"x":""}"#.len()))
}

fn submit(params: &str) -> Step {
    request("POST /api/jobs/submit")
        .with_raw_body(format!(r#"{{"job_type": "large", "input_params": {params}}}"#))
}

fn report(call: &str, body: String) -> Step {
    request(format!("POST /api/runner/jobs/{{job}}/{call}")).sent_by("r").with_raw_body(body)
}

pub(super) fn script() -> Vec<Step> {
    [submissions(), reports()].into_iter().flatten().collect()
}

fn submissions() -> Vec<Step> {
    vec![
        submit(&object(100 * KIB))
            .responds(201, json!({ "job_id": "<job:>", "status": "pending", "message": "<text>" })),
        submit(&object(100 * KIB + 1)).refused(400, "input_params is longer than 102400 bytes"),
        submit(&object(2 * KIB * KIB)).refused(400, "the body is larger than"),
        request("POST /api/jobs/check")
            .with_raw_body(format!(r#"{{"job_type": "large", "input_params": {}}}"#, object(100 * KIB + 1)))
            .refused(400, "input_params is longer than 102400 bytes"),
    ]
}

fn reports() -> Vec<Step> {
    let console = |bytes: usize| format!(r#"{{"console_output": "{}"}}"#, "c".repeat(bytes));
    let chunk = |bytes: usize| format!(r#"{{"console_append": "{}"}}"#, "c".repeat(bytes));
    let complete =
        |bytes: usize| format!(r#"{{"output_data": {}, "console_output": "\u001b[0m"}}"#, object(bytes));
    let error = |bytes: usize| format!(r#"{{"error_message": "{}"}}"#, "e".repeat(bytes));
    let accepted = || json!({ "success": true, "message": "<text>" });
    vec![
        request("POST /api/runner/jobs/{job}/claim").sent_by("r"),
        report("heartbeat", console(KIB * KIB + 1))
            .refused(400, "console_output is longer than 1048576 bytes"),
        report("heartbeat", console(KIB * KIB)).responds(200, accepted()),
        report("heartbeat", chunk(1)).refused(400, "console_append"),
        // An escape sequence counts as the bytes of the character that it encodes.
        report("heartbeat", format!(r#"{{"console_output": "{}"}}"#, "\\u00e9".repeat(300 * KIB)))
            .responds(200, accepted()),
        report("heartbeat", console(KIB * KIB - 1)).responds(200, accepted()),
        report("heartbeat", chunk(1)).responds(200, accepted()),
        report("heartbeat", chunk(1)).refused(400, "console_append"),
        report("heartbeat", console(4 * KIB * KIB)).refused(400, "the body is larger than"),
        report("error", error(10 * KIB + 1)).refused(400, "error_message is longer than 10240 bytes"),
        report("complete", complete(500 * KIB + 1)).refused(400, "output_data is longer than 512000 bytes"),
        report("complete", complete(500 * KIB)).responds(200, accepted()),
        submit(r#"{"of": "an error"}"#)
            .responds(201, json!({ "job_id": "<job:>", "status": "pending", "message": "<text>" })),
        request("POST /api/runner/jobs/{job}/claim").sent_by("r"),
        report("error", error(10 * KIB)).responds(200, accepted()),
    ]
}
