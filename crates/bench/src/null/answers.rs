//! The prepared responses of the null server. Each has the fields of the real response, and about its size.

use bytes::Bytes;
use memchr::memmem;

use crate::jobs::calls::{CACHED_TYPE, CONSOLE, INPUT, OUTPUT};

/// A status and a body.
type Answer = (u16, Bytes);

/// All responses, ready to be sent.
pub(super) struct Answers {
    registered: Answer,
    new: Answer,
    cached: Answer,
    next: Answer,
    accepted: Answer,
    other: Answer,
}

const ID: &str = "0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";

impl Answers {
    pub(super) fn new() -> Self {
        let registered = format!(r#"{{"runner_id":"{ID}","message":"the runner is registered"}}"#);
        let new = format!(r#"{{"job_id":"{ID}","status":"pending","message":"the job is queued"}}"#);
        let cached = format!(
            r#"{{"job_id":"{ID}","status":"completed","message":"the job is known","result":{{"output_data":{OUTPUT},"console_output":"{CONSOLE}"}}}}"#
        );
        let next = format!(
            r#"{{"job":{{"job_id":"{ID}","job_type":"bench","input_params":{INPUT},"attempt":1,"lease":1,"lease_ms":90000}}}}"#
        );
        Self {
            registered: (201, registered.into()),
            new: (201, new.into()),
            cached: (200, cached.into()),
            next: (200, next.into()),
            accepted: (200, r#"{"success":true,"message":"the runner's report was accepted"}"#.into()),
            other: (404, r#"{"error":"there is nothing at this path"}"#.into()),
        }
    }

    pub(super) fn to(&self, path: &str, body: &[u8]) -> Answer {
        match path {
            "/api/jobs/submit" if memmem::find(body, CACHED_TYPE.as_bytes()).is_some() => &self.cached,
            "/api/jobs/submit" => &self.new,
            "/api/runner/register" => &self.registered,
            "/api/runner/jobs/next" => &self.next,
            path if path.ends_with("/start") || path.ends_with("/complete") => &self.accepted,
            _ => &self.other,
        }
        .clone()
    }
}
