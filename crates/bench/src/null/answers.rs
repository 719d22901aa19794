//! What the null server says to which request. Each answer has the fields of the real one, and about its size.

use memchr::memmem;

use crate::jobs::calls::{CONSOLE, INPUT, KNOWN, OUTPUT};

/// All answers, head and body, ready to be written.
pub(super) struct Answers {
    registered: Vec<u8>,
    new: Vec<u8>,
    known: Vec<u8>,
    next: Vec<u8>,
    heard: Vec<u8>,
    other: Vec<u8>,
}

const ID: &str = "0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";

impl Answers {
    pub(super) fn new() -> Self {
        let registered = format!(r#"{{"runner_id":"{ID}","message":"the runner is registered"}}"#);
        let new = format!(r#"{{"job_id":"{ID}","status":"pending","message":"the job is queued"}}"#);
        let known = format!(
            r#"{{"job_id":"{ID}","status":"completed","message":"the job is known","result":{{"output_data":{OUTPUT},"console_output":"{CONSOLE}"}}}}"#
        );
        let next = format!(
            r#"{{"job":{{"job_id":"{ID}","job_type":"bench","input_params":{INPUT},"attempt":1,"lease":1,"lease_ms":90000}}}}"#
        );
        Self {
            registered: answer("201 Created", &registered),
            new: answer("201 Created", &new),
            known: answer("200 OK", &known),
            next: answer("200 OK", &next),
            heard: answer("200 OK", r#"{"success":true,"message":"the runner's word was taken"}"#),
            other: answer("404 Not Found", r#"{"error":"there is nothing at this path"}"#),
        }
    }

    pub(super) fn to(&self, head: &[u8], body: &[u8]) -> &[u8] {
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        match path {
            b"/api/jobs/submit" if memmem::find(body, KNOWN.as_bytes()).is_some() => &self.known,
            b"/api/jobs/submit" => &self.new,
            b"/api/runner/register" => &self.registered,
            path if path.starts_with(b"/api/runner/jobs/next?") => &self.next,
            path if path.ends_with(b"/start") || path.ends_with(b"/complete") => &self.heard,
            _ => &self.other,
        }
    }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n\
        content-type: application/json\r\n\
        content-length: {length}\r\n\
        date: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\n\
        {body}"
    )
    .into_bytes()
}
