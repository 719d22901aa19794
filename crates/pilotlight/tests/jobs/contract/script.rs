//! Plays a script. In what a line expects, `<text>` is any sentence, `<time>` a time of today, `<id>` an id, `<any>`
//! anything at all, and `<name:>` any text, which is called so from then on: `{name}` in later lines is that text.

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

/// A request, and what is answered to it.
pub(super) struct Line {
    ask: String,
    /// `None` leaves a header away that is sent otherwise.
    headers: Vec<(&'static str, Option<String>)>,
    body: String,
    status: u16,
    expected: Value,
}

/// Asks, such as `GET /api/jobs/{job}`.
pub(super) fn ask(ask: impl Into<String>) -> Line {
    Line {
        ask: ask.into(),
        headers: Vec::new(),
        body: String::new(),
        status: 200,
        expected: Value::String("<any>".into()),
    }
}

impl Line {
    /// With this body.
    pub(super) fn with(self, body: Value) -> Self {
        self.raw(body.to_string())
    }

    /// With this body, whether it is JSON or not.
    pub(super) fn raw(self, body: impl Into<String>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// With this header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Some(value.into())));
        self
    }

    /// As this runner.
    pub(super) fn by(self, runner: &str) -> Self {
        self.header("x-runner-id", runner)
    }

    /// Without this header.
    pub(super) fn without(mut self, name: &'static str) -> Self {
        self.headers.push((name, None));
        self
    }

    /// And is answered so.
    pub(super) fn responds(self, status: u16, expected: Value) -> Self {
        Self { status, expected, ..self }
    }

    /// And is refused with a sentence that has this in it.
    pub(super) fn refused(self, status: u16, part: &str) -> Self {
        self.responds(status, serde_json::json!({ "error": format!("<..{part}..>") }))
    }

    /// And is told by `success` and `message` that it is not so.
    pub(super) fn in_vain(self, status: u16) -> Self {
        self.responds(status, serde_json::json!({ "success": false, "message": "<text>" }))
    }
}

/// A service, and the names of what came up while a script was played on it.
pub(super) struct Stage {
    server: TestServer,
    connection: Connection,
    names: HashMap<String, String>,
    with_keys: bool,
}

impl Stage {
    pub(super) fn new(store: &JobStore, settings: &[(&str, &str)]) -> Self {
        let server = store.serve(settings);
        let connection = server.connect();
        let with_keys = settings.iter().any(|(name, _)| name.ends_with("_API_KEY"));
        Self { server, connection, names: HashMap::new(), with_keys }
    }

    pub(super) fn play(&mut self, script: Vec<Line>) {
        for (number, line) in script.into_iter().enumerate() {
            let answer = self.answer(&line);
            let told = format!("line {number}, {}: {} {}", line.ask, answer.status, shown(&answer));
            assert_eq!(answer.status, line.status, "{told}");
            let body = if answer.body.is_empty() { Value::Null } else { answer.json() };
            if let Err(why) = self.fits(&line.expected, &body, "") {
                panic!("{told}\n{why}");
            }
        }
    }

    fn answer(&mut self, line: &Line) -> Response {
        let (ask, body) = (self.fill(&line.ask), self.fill(&line.body));
        let (method, path) = ask.split_once(' ').expect("a method and a path");
        let mut headers = self.usual_headers(path);
        for (name, value) in &line.headers {
            headers.retain(|(known, _)| known != name);
            headers.extend(value.as_ref().map(|value| (*name, self.fill(value))));
        }
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{lines}");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        // Whoever refuses a body may close before it is there whole.
        _ = self.connection.try_send(request);
        let answer = self.connection.response().unwrap_or_else(|none| panic!("no answer to {ask}: {none:?}"));
        if answer.status >= 400 || answer.header("connection") == Some("close") {
            self.connection = self.server.connect();
        }
        answer
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

    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.names {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    /// Whether what came is what was expected; what was is not named here must not come.
    fn fits(&mut self, expected: &Value, got: &Value, at: &str) -> Result<(), String> {
        match (expected, got) {
            (Value::String(pattern), got) => self.fits_pattern(pattern, got, at),
            (Value::Object(expected), Value::Object(got)) => self.fits_object(expected, got, at),
            (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
                let mut pairs = expected.iter().zip(got).enumerate();
                pairs.try_for_each(|(index, (expected, got))| {
                    self.fits(expected, got, &format!("{at}[{index}]"))
                })
            }
            (expected, got) if expected == got => Ok(()),
            (expected, got) => Err(format!("{at} is {got}, not {expected}")),
        }
    }

    fn fits_object(
        &mut self,
        expected: &Map<String, Value>,
        got: &Map<String, Value>,
        at: &str,
    ) -> Result<(), String> {
        if let Some(name) = got.keys().find(|name| !expected.contains_key(*name)) {
            return Err(format!("{at}.{name} is there"));
        }
        expected.iter().try_for_each(|(name, expected)| {
            let got = got.get(name).ok_or_else(|| format!("{at}.{name} is not there"))?;
            self.fits(expected, got, &format!("{at}.{name}"))
        })
    }

    fn fits_pattern(&mut self, pattern: &str, got: &Value, at: &str) -> Result<(), String> {
        let text = got.as_str().unwrap_or_default();
        if let Some(name) = pattern.strip_prefix('<').and_then(|name| name.strip_suffix(":>")) {
            self.names.insert(name.to_owned(), text.to_owned());
        }
        let is_so = match pattern {
            "<any>" => true,
            "<text>" => text.split_whitespace().count() >= 2,
            "<time>" => got.as_u64().is_some_and(|time| time.abs_diff(now_ms()) < DAY_MS),
            "<id>" => is_id(text),
            _ if pattern.ends_with(":>") => !text.is_empty(),
            _ => match pattern.strip_prefix("<..").and_then(|part| part.strip_suffix("..>")) {
                Some(part) => text.contains(part) && text.split_whitespace().count() >= 2,
                None => text == self.fill(pattern),
            },
        };
        if is_so { Ok(()) } else { Err(format!("{at} is {got}, not {pattern}")) }
    }
}

fn shown(answer: &Response) -> String {
    answer.text().chars().take(500).collect()
}

fn is_id(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit())
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    u64::try_from(now.as_millis()).expect("it fits for a while")
}
