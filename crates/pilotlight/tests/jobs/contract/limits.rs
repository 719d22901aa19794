//! Sizes: what just fits, and one byte more.

use serde_json::json;

use super::script::{Line, ask};

const KIB: usize = 1024;

/// An object of so many bytes without white space, of which it has some.
fn object(bytes: usize) -> String {
    format!("{{ \"x\": \"{}\" }}", "x".repeat(bytes - r#"{"x":""}"#.len()))
}

fn submit(params: &str) -> Line {
    ask("POST /api/jobs/submit").raw(format!(r#"{{"job_type": "large", "input_params": {params}}}"#))
}

fn word(call: &str, body: String) -> Line {
    ask(format!("POST /api/runner/jobs/{{job}}/{call}")).by("r").raw(body)
}

pub(super) fn script() -> Vec<Line> {
    [inputs(), words()].into_iter().flatten().collect()
}

fn inputs() -> Vec<Line> {
    vec![
        submit(&object(100 * KIB))
            .responds(201, json!({ "job_id": "<job:>", "status": "pending", "message": "<text>" })),
        submit(&object(100 * KIB + 1)).refused(400, "input_params is longer than 102400 bytes"),
        submit(&object(2 * KIB * KIB)).refused(400, "the body is larger than"),
        ask("POST /api/jobs/check")
            .raw(format!(r#"{{"job_type": "large", "input_params": {}}}"#, object(100 * KIB + 1)))
            .refused(400, "input_params is longer than 102400 bytes"),
    ]
}

fn words() -> Vec<Line> {
    let console = |bytes: usize| format!(r#"{{"console_output": "{}"}}"#, "c".repeat(bytes));
    let piece = |bytes: usize| format!(r#"{{"console_append": "{}"}}"#, "c".repeat(bytes));
    let complete =
        |bytes: usize| format!(r#"{{"output_data": {}, "console_output": "\u001b[0m"}}"#, object(bytes));
    let error = |bytes: usize| format!(r#"{{"error_message": "{}"}}"#, "e".repeat(bytes));
    let taken = || json!({ "success": true, "message": "<text>" });
    vec![
        ask("POST /api/runner/jobs/{job}/claim").by("r"),
        word("heartbeat", console(KIB * KIB + 1)).refused(400, "console_output is longer than 1048576 bytes"),
        word("heartbeat", console(KIB * KIB)).responds(200, taken()),
        word("heartbeat", piece(1)).refused(400, "console_append"),
        // Escapes count as what they stand for.
        word("heartbeat", format!(r#"{{"console_output": "{}"}}"#, "\\u00e9".repeat(300 * KIB)))
            .responds(200, taken()),
        word("heartbeat", console(KIB * KIB - 1)).responds(200, taken()),
        word("heartbeat", piece(1)).responds(200, taken()),
        word("heartbeat", piece(1)).refused(400, "console_append"),
        word("heartbeat", console(4 * KIB * KIB)).refused(400, "the body is larger than"),
        word("error", error(10 * KIB + 1)).refused(400, "error_message is longer than 10240 bytes"),
        word("complete", complete(500 * KIB + 1)).refused(400, "output_data is longer than 512000 bytes"),
        word("complete", complete(500 * KIB)).responds(200, taken()),
        submit(r#"{"of": "an error"}"#)
            .responds(201, json!({ "job_id": "<job:>", "status": "pending", "message": "<text>" })),
        ask("POST /api/runner/jobs/{job}/claim").by("r"),
        word("error", error(10 * KIB)).responds(200, taken()),
    ]
}
