//! A client of the JSON API: a caller, a runner, or an operator, on one keep-alive connection.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::{Connection, NoResponse, Response};

/// A client on one connection.
pub struct ApiClient {
    connection: Connection,
    headers: String,
}

impl ApiClient {
    /// Connects to this address. The client sends no key.
    pub fn at(address: SocketAddr) -> Self {
        Self::on(Connection::open(address))
    }

    /// A client on an open connection.
    pub fn on(connection: Connection) -> Self {
        Self { connection, headers: String::new() }
    }

    /// Adds a bearer key to all requests of this client.
    pub fn with_key(self, key: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {key}"))
    }

    /// Adds a runner's id to all requests of this client.
    pub fn as_runner(self, runner: &str) -> Self {
        self.with_header("x-runner-id", runner)
    }

    /// Adds a header to all requests of this client.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    /// Sends a GET request and reads the response.
    pub fn get(&mut self, path: &str) -> Response {
        self.request("GET", path, b"")
    }

    /// Sends a POST request and reads the response.
    pub fn post(&mut self, path: &str, body: &Value) -> Response {
        self.request("POST", path, body.to_string().as_bytes())
    }

    /// Sends a request and reads the response.
    pub fn request(&mut self, method: &str, path: &str, body: &[u8]) -> Response {
        self.try_request(method, path, body)
            .unwrap_or_else(|none| panic!("no response to {method} {path}: {none:?}"))
    }

    /// Sends a request and reads the response, if there is one: the service may have exited.
    pub fn try_request(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Response, NoResponse> {
        self.send(method, path, body).map_err(|_| NoResponse::Reset)?;
        self.connection.response()
    }

    /// Sends a request. Its response is read with [`Self::response`].
    pub fn send(&mut self, method: &str, path: &str, body: &[u8]) -> std::io::Result<()> {
        let Self { headers, connection } = self;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n"
        );
        connection.try_send([head.as_bytes(), body].concat())
    }

    /// Returns the connection. The response to the last request may be outstanding on it.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    /// Waits for the first byte of a response and does not consume it.
    pub fn wait_until_readable(&self) {
        self.connection.wait_until_readable();
    }

    /// Reads the response to the request that was sent.
    pub fn response(&mut self) -> Result<Response, NoResponse> {
        self.connection.response()
    }

    /// Submits a job and returns the body of the response.
    pub fn submit(&mut self, job_type: &str, input: &Value) -> Value {
        let response = self.post("/api/jobs/submit", &json!({ "job_type": job_type, "input_params": input }));
        assert!(matches!(response.status, 200 | 201), "{response:?}");
        response.json()
    }

    /// Submits a job with more fields than its type and parameters; returns status and body of the response.
    pub fn submit_with(&mut self, job_type: &str, input: &Value, more: &Value) -> (u16, Value) {
        let mut body = json!({ "job_type": job_type, "input_params": input });
        let fields = body.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let response = self.post("/api/jobs/submit", &body);
        (response.status, response.json())
    }

    /// The job as the API shows it to callers.
    pub fn job(&mut self, id: &str) -> Value {
        self.get(&format!("/api/jobs/{id}")).json()
    }

    /// Polls for a job of this type; `None` when no job arrived within the wait.
    pub fn next_job(&mut self, job_type: &str, wait_ms: u64) -> Option<Value> {
        let response = self.get(&format!("/api/runner/jobs/next?types[]={job_type}&wait_ms={wait_ms}"));
        match response.status {
            200 => Some(response.json()["job"].clone()),
            204 => None,
            _ => panic!("{response:?}"),
        }
    }

    /// Sends a report about a job (`start`, `heartbeat`, `complete` or `error`) as its runner, with the job's lease.
    pub fn report(&mut self, report: &str, job: &Value, mut body: Value) -> Response {
        body["lease"] = job["lease"].clone();
        let id = job["job_id"].as_str().expect("an id");
        self.post(&format!("/api/runner/jobs/{id}/{report}"), &body)
    }

    /// Executes the next job of this type with this output, and returns the job.
    pub fn execute(&mut self, job_type: &str, output: &Value) -> Value {
        let job = self.next_job(job_type, 10_000).expect("a job");
        assert_eq!(self.report("start", &job, json!({})).status, 200);
        let done = self.report("complete", &job, json!({ "output_data": output }));
        assert_eq!(done.status, 200, "{done:?}");
        job
    }
}
