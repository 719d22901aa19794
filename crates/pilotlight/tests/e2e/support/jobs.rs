//! Whoever speaks of jobs: a caller, a runner, an operator. One kept-alive connection, JSON both ways.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::http::{Answer, Connection, NoAnswer};

/// Somebody on one connection.
pub(crate) struct Party {
    connection: Connection,
    headers: String,
}

impl Party {
    /// Somebody without a key.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self::on(Connection::open(address))
    }

    /// Somebody on a connection that is open.
    pub(crate) fn on(connection: Connection) -> Self {
        Self { connection, headers: String::new() }
    }

    /// The same with a key.
    pub(crate) fn with_key(self, key: &str) -> Self {
        self.with("authorization", &format!("Bearer {key}"))
    }

    /// The same as this runner.
    pub(crate) fn of_runner(self, runner: &str) -> Self {
        self.with("x-runner-id", runner)
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, b"")
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, body.to_string().as_bytes())
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.try_to_ask(method, path, body)
            .unwrap_or_else(|none| panic!("no answer to {method} {path}: {none:?}"))
    }

    /// The same with a service that may be gone.
    pub(crate) fn try_to_ask(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer, NoAnswer> {
        self.send(method, path, body).map_err(|_| NoAnswer::Reset)?;
        self.connection.answer()
    }

    /// Sends a request whose answer is read later.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &[u8]) -> std::io::Result<()> {
        let Self { headers, connection } = self;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n"
        );
        connection.try_send([head.as_bytes(), body].concat())
    }

    /// Its connection, with what was sent on it.
    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// Waits for the first byte of an answer, and leaves it where it is.
    pub(crate) fn answer_is_there(&self) {
        self.connection.wait_for_a_byte();
    }

    /// Reads the answer to what was sent.
    pub(crate) fn answer(&mut self) -> Result<Answer, NoAnswer> {
        self.connection.answer()
    }

    /// Submits a job and returns what it is told.
    pub(crate) fn submit(&mut self, job_type: &str, input: &Value) -> Value {
        let answer = self.post("/api/jobs/submit", &json!({ "job_type": job_type, "input_params": input }));
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        answer.json()
    }

    /// Submits a job with these fields besides its type and parameters; the status, and what it is told.
    pub(crate) fn submit_with(&mut self, job_type: &str, input: &Value, more: &Value) -> (u16, Value) {
        let mut body = json!({ "job_type": job_type, "input_params": input });
        let fields = body.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let answer = self.post("/api/jobs/submit", &body);
        (answer.status, answer.json())
    }

    /// What is told of a job.
    pub(crate) fn job(&mut self, id: &str) -> Value {
        self.get(&format!("/api/jobs/{id}")).json()
    }

    /// Waits for a job of this type; `None` when none came in that time.
    pub(crate) fn next(&mut self, job_type: &str, wait_ms: u64) -> Option<Value> {
        let answer = self.get(&format!("/api/runner/jobs/next?types[]={job_type}&wait_ms={wait_ms}"));
        match answer.status {
            200 => Some(answer.json()["job"].clone()),
            204 => None,
            _ => panic!("{answer:?}"),
        }
    }

    /// Says something of a job as its runner, with this lease.
    pub(crate) fn say(&mut self, what: &str, job: &Value, mut body: Value) -> Answer {
        body["lease"] = job["lease"].clone();
        let id = job["job_id"].as_str().expect("an id");
        self.post(&format!("/api/runner/jobs/{id}/{what}"), &body)
    }

    /// Executes the next job of this type with this output, and returns the job.
    pub(crate) fn execute(&mut self, job_type: &str, output: &Value) -> Value {
        let job = self.next(job_type, 10_000).expect("a job");
        assert_eq!(self.say("start", &job, json!({})).status, 200);
        let done = self.say("complete", &job, json!({ "output_data": output }));
        assert_eq!(done.status, 200, "{done:?}");
        job
    }
}
