//! The requests of a caller and of a runner, with the same headers that the protocol's Python client sends.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The type of the bench's jobs.
pub(crate) const TYPE: &str = "bench";
/// The type of jobs that are computed before the measurement, to be answered from the cache.
pub(crate) const CACHED_TYPE: &str = "bench_known";

/// Typical parameters of a small job; its number makes each job distinct.
pub(crate) const INPUT: &str = r#"{"number":100000000,"source":"s3://bucket-eu-1/recordings/2024/01/01/session-0017/part-003.wav","model":"small-v3","language":"en","sample_rate":16000,"channels":1,"beam":5,"temperature":0.2,"options":{"timestamps":true,"diarize":false,"chunk_seconds":30}}"#;
/// A typical result of a small job.
pub(crate) const OUTPUT: &str = r#"{"segments":12,"seconds":183.4,"text_url":"s3://bucket-eu-1/results/2024/01/01/session-0017/part-003.json","words":431,"confidence":0.93,"language":"en","checksum":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}"#;
/// A typical console output of a small job.
pub(crate) const CONSOLE: &str = "loaded model small-v3 in 0.8 s; 12 segments; done";

/// How long a poll waits for a job; in the bench there is always a job.
const WAIT_MS: u32 = 10_000;

/// The source of unique numbers that make jobs distinct. All numbers have the same width.
#[derive(Debug, Default, Clone)]
pub(crate) struct Numbers(Arc<AtomicU64>);

impl Numbers {
    pub(crate) fn next(&self) -> u64 {
        100_000_000 + self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// A job that is leased to a runner.
#[derive(Debug, Clone)]
pub(crate) struct LeasedJob {
    pub(crate) job: String,
    pub(crate) lease: u64,
}

/// Builds requests in one reused buffer.
pub(crate) struct Calls {
    server: SocketAddr,
    request: Vec<u8>,
}

impl Calls {
    pub(crate) fn to(server: SocketAddr) -> Self {
        Self { server, request: Vec::with_capacity(2_048) }
    }

    pub(crate) fn register(&mut self) -> &[u8] {
        let body = format!(r#"{{"name": "bench", "capabilities": ["{TYPE}", "{CACHED_TYPE}"]}}"#);
        self.post("/api/runner/register", "", &body)
    }

    pub(crate) fn submit(&mut self, job_type: &str, number: u64) -> &[u8] {
        let rest = INPUT.trim_start_matches(r#"{"number":100000000"#);
        let body = format!(r#"{{"job_type": "{job_type}", "input_params": {{"number":{number}{rest}}}"#);
        self.post("/api/jobs/submit", "", &body)
    }

    pub(crate) fn next(&mut self, job_type: &str, runner: &str) -> &[u8] {
        let path = format!("/api/runner/jobs/next?types[]={job_type}&wait_ms={WAIT_MS}");
        self.head(format_args!("GET {path}"), runner);
        self.request.extend_from_slice(b"\r\n");
        &self.request
    }

    pub(crate) fn start(&mut self, runner: &str, leased_job: &LeasedJob) -> &[u8] {
        let LeasedJob { job, lease } = leased_job;
        self.post(&format!("/api/runner/jobs/{job}/start"), runner, &format!(r#"{{"lease": {lease}}}"#))
    }

    pub(crate) fn complete(&mut self, runner: &str, leased_job: &LeasedJob) -> &[u8] {
        let LeasedJob { job, lease } = leased_job;
        let body = format!(r#"{{"output_data": {OUTPUT}, "console_output": "{CONSOLE}", "lease": {lease}}}"#);
        self.post(&format!("/api/runner/jobs/{job}/complete"), runner, &body)
    }

    fn post(&mut self, path: &str, runner: &str, body: &str) -> &[u8] {
        self.head(format_args!("POST {path}"), runner);
        self.write(format_args!(
            "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ));
        &self.request
    }

    fn head(&mut self, line: std::fmt::Arguments<'_>, runner: &str) {
        self.request.clear();
        let server = self.server;
        self.write(format_args!(
            "{line} HTTP/1.1\r\n\
            host: {server}\r\n\
            user-agent: python-requests/2.32.3\r\n\
            accept-encoding: gzip, deflate\r\n\
            accept: */*\r\n\
            connection: keep-alive\r\n"
        ));
        if !runner.is_empty() {
            self.write(format_args!("x-runner-id: {runner}\r\n"));
        }
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.request.write_fmt(text).expect("writing to memory does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_is_json_with_its_number() {
        let mut calls = Calls::to(SocketAddr::from(([127, 0, 0, 1], 80)));
        let request = String::from_utf8_lossy(calls.submit(TYPE, 100_000_042)).into_owned();
        let (_, body) = request.split_once("\r\n\r\n").expect("a head and a body");
        let json: serde_json::Value = serde_json::from_str(body).expect("the body is JSON");
        assert_eq!(json["input_params"]["number"], 100_000_042);
        assert_eq!(json["input_params"]["options"]["chunk_seconds"], 30);
    }
}
