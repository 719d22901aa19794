//! Plays a script: sends the request of each step and compares the response with the expected one. In an expected body,
//! `<text>` matches any text of two words or more, `<time>` a time at most a day from now, `<id>` a UUID, `<any>` any
//! value, and `<..part..>` a sentence that contains `part`. `<name:>` matches any text and saves it under this name;
//! `{name}` in later steps is replaced with that text.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use pilotlight_testkit::http::{Connection, Response};
use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::server::TestServer;
use serde_json::{Map, Value};

pub(super) const SUBMIT_KEY: &str = "a caller's key of good length";
pub(super) const RUNNER_KEY: &str = "a runner's key of good length";
pub(super) const ADMIN_KEY: &str = "an admin's key of good length";

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A request and its expected response.
pub(super) struct Step {
    /// Method and path.
    request: String,
    /// In addition to the usual headers; `None` leaves out a usual header.
    headers: Vec<(&'static str, Option<String>)>,
    body: String,
    status: u16,
    expected: Value,
}

/// A step with this method and path, such as `GET /api/jobs/{job}`. Any body with status 200 is expected.
pub(super) fn request(request: impl Into<String>) -> Step {
    Step {
        request: request.into(),
        headers: Vec::new(),
        body: String::new(),
        status: 200,
        expected: Value::String("<any>".into()),
    }
}

impl Step {
    /// With this JSON body.
    pub(super) fn with_body(self, body: Value) -> Self {
        self.with_raw_body(body.to_string())
    }

    /// With this body, whether it is JSON or not.
    pub(super) fn with_raw_body(self, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// With this header.
    pub(super) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Some(value.into())));
        self
    }

    /// Sent by this runner.
    pub(super) fn sent_by(self, runner: &str) -> Self {
        self.with_header("x-runner-id", runner)
    }

    /// Without this header, which is sent by default.
    pub(super) fn without_header(mut self, name: &'static str) -> Self {
        self.headers.push((name, None));
        self
    }

    /// Expects this status and body.
    pub(super) fn responds(self, status: u16, expected: Value) -> Self {
        Self { status, expected, ..self }
    }

    /// Expects this status and the body `{ "error": … }` with a sentence that contains `part`.
    pub(super) fn refused(self, status: u16, part: &str) -> Self {
        self.responds(status, serde_json::json!({ "error": format!("<..{part}..>") }))
    }

    /// Expects this status and the body `{ "success": false, "message": … }`.
    pub(super) fn rejected(self, status: u16) -> Self {
        self.responds(status, serde_json::json!({ "success": false, "message": "<text>" }))
    }
}

/// A service, and the texts that a script has saved under names while it was played on it.
pub(super) struct ScriptPlayer {
    server: TestServer,
    connection: Connection,
    names: HashMap<String, String>,
    with_keys: bool,
}

impl ScriptPlayer {
    pub(super) fn new(store: &JobStore, settings: &[(&str, &str)]) -> Self {
        let server = store.serve(settings);
        let connection = server.connect();
        let with_keys = settings.iter().any(|(name, _)| name.ends_with("_API_KEY"));
        Self { server, connection, names: HashMap::new(), with_keys }
    }

    pub(super) fn play(&mut self, script: Vec<Step>) {
        for (number, step) in script.into_iter().enumerate() {
            let response = self.send(&step);
            let summary =
                format!("step {number}, {}: {} {}", step.request, response.status, body_excerpt(&response));
            assert_eq!(response.status, step.status, "{summary}");
            let body = if response.body.is_empty() { Value::Null } else { response.json() };
            if let Err(mismatch) = self.compare(&step.expected, &body, "") {
                panic!("{summary}\n{mismatch}");
            }
        }
    }

    fn send(&mut self, step: &Step) -> Response {
        let (target, body) = (self.fill(&step.request), self.fill(&step.body));
        let (method, path) = target.split_once(' ').expect("a method and a path");
        let mut headers = self.usual_headers(path);
        for (name, value) in &step.headers {
            headers.retain(|(usual, _)| usual != name);
            headers.extend(value.as_ref().map(|value| (*name, self.fill(value))));
        }
        let header_lines: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{header_lines}");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        // A service that refuses a body may close the connection before it has read all of it.
        _ = self.connection.try_send(request);
        let response =
            self.connection.response().unwrap_or_else(|none| panic!("no response to {target}: {none:?}"));
        if response.status >= 400 || response.header("connection") == Some("close") {
            self.connection = self.server.connect();
        }
        response
    }

    fn usual_headers(&self, path: &str) -> Vec<(&'static str, String)> {
        let key = match path.split('/').nth(2) {
            Some("jobs") => SUBMIT_KEY,
            Some("runner") => RUNNER_KEY,
            Some(_) | None => ADMIN_KEY,
        };
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if self.with_keys {
            headers.push(("authorization", format!("Bearer {key}")));
        }
        if path.starts_with("/api/runner/") {
            headers.push(("x-runner-id", self.fill("{runner}")));
        }
        headers
    }

    /// Replaces each `{name}` with the text that is saved under this name.
    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.names {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    /// Compares a value with the expected one; `path` is its place in the body. An object must have the expected fields
    /// and no others.
    fn compare(&mut self, expected: &Value, actual: &Value, path: &str) -> Result<(), String> {
        match (expected, actual) {
            (Value::String(pattern), actual) => self.compare_pattern(pattern, actual, path),
            (Value::Object(expected), Value::Object(actual)) => self.compare_object(expected, actual, path),
            (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
                let mut pairs = expected.iter().zip(actual).enumerate();
                pairs.try_for_each(|(index, (expected, actual))| {
                    self.compare(expected, actual, &format!("{path}[{index}]"))
                })
            }
            (expected, actual) if expected == actual => Ok(()),
            (expected, actual) => Err(format!("{path} is {actual}, not {expected}")),
        }
    }

    fn compare_object(
        &mut self,
        expected: &Map<String, Value>,
        actual: &Map<String, Value>,
        path: &str,
    ) -> Result<(), String> {
        if let Some(name) = actual.keys().find(|name| !expected.contains_key(*name)) {
            return Err(format!("{path}.{name} is not expected"));
        }
        expected.iter().try_for_each(|(name, expected)| {
            let actual = actual.get(name).ok_or_else(|| format!("{path}.{name} is missing"))?;
            self.compare(expected, actual, &format!("{path}.{name}"))
        })
    }

    fn compare_pattern(&mut self, pattern: &str, actual: &Value, path: &str) -> Result<(), String> {
        let text = actual.as_str().unwrap_or_default();
        if let Some(name) = pattern.strip_prefix('<').and_then(|name| name.strip_suffix(":>")) {
            self.names.insert(name.to_owned(), text.to_owned());
        }
        let matches = match pattern {
            "<any>" => true,
            "<text>" => text.split_whitespace().count() >= 2,
            "<time>" => actual.as_u64().is_some_and(|time| time.abs_diff(now_ms()) < DAY_MS),
            "<id>" => is_uuid(text),
            _ if pattern.ends_with(":>") => !text.is_empty(),
            _ => match pattern.strip_prefix("<..").and_then(|part| part.strip_suffix("..>")) {
                Some(part) => text.contains(part) && text.split_whitespace().count() >= 2,
                None => text == self.fill(pattern),
            },
        };
        if matches { Ok(()) } else { Err(format!("{path} is {actual}, not {pattern}")) }
    }
}

fn body_excerpt(response: &Response) -> String {
    response.text().chars().take(500).collect()
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit())
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(now.as_millis()).expect("milliseconds since 1970 fit in 64 bits")
}
