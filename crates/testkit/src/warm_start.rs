//! The two clients of the warm-start protocol on raw sockets: a runner's poll, and a supervisor that offers runs.

use std::net::SocketAddr;

use serde_json::Value;

use crate::http::{Connection, Response};
use crate::run_message::{self, DEPLOYMENT, VERSION};

/// The protocol's path in a form that the fast path does not serve: the general HTTP server answers it.
pub const GENERAL_PATH: &str = "/warm-start?behind";

/// The headers of a poll; a test may change each of them.
#[derive(Clone)]
pub struct Poll {
    /// The deployment's friendly id.
    pub deployment: String,
    /// The deployment's version.
    pub version: String,
    /// The runner's id.
    pub runner: String,
    /// The processors of the runner's machine.
    pub cpu: String,
    /// The memory of the runner's machine, in GB.
    pub memory: String,
    /// Additional header lines, each with its line break.
    pub more: String,
}

impl Poll {
    /// A poll that fits [`run_message::run`].
    pub fn by(runner: &str) -> Self {
        Self {
            deployment: DEPLOYMENT.to_owned(),
            version: VERSION.to_owned(),
            runner: runner.to_owned(),
            cpu: "0.5".to_owned(),
            memory: "0.5".to_owned(),
            more: String::new(),
        }
    }

    /// Adds a header.
    pub fn with_header(mut self, header: &str) -> Self {
        self.more += &format!("{header}\r\n");
        self
    }

    /// The request's bytes.
    pub fn request(&self) -> String {
        let Self { deployment, version, runner, cpu, memory, more } = self;
        format!(
            "GET /warm-start HTTP/1.1\r\nhost: localhost\r\n\
             x-trigger-deployment-id: {deployment}\r\nx-trigger-deployment-version: {version}\r\n\
             x-trigger-workload-controller-id: {runner}\r\nx-trigger-worker-instance-name: node-1\r\n\
             x-trigger-machine-cpu: {cpu}\r\nx-trigger-machine-memory: {memory}\r\n{more}\r\n"
        )
    }

    /// Sends the poll on a new connection.
    pub fn send_to(&self, server: SocketAddr) -> Connection {
        let mut connection = Connection::open(server);
        connection.send(self.request());
        connection
    }
}

/// A supervisor, which offers runs on one connection.
pub struct Supervisor(Connection);

impl Supervisor {
    /// Connects to the service at this address.
    pub fn at(server: SocketAddr) -> Self {
        Self(Connection::open(server))
    }

    /// Offers a run, and returns whether the response reports a warm start.
    pub fn offer(&mut self, run: &Value) -> bool {
        self.offer_text(&run_message::offer(run))
    }

    /// Sends an offer with any body, and returns whether the response reports a warm start.
    pub fn offer_text(&mut self, body: &str) -> bool {
        is_warm(&self.0.post("/warm-start", body))
    }

    /// The number of parked polls.
    pub fn parked(&mut self) -> u64 {
        self.0.get("/health").json()["waitingRunners"].as_u64().expect("health has the number")
    }
}

/// Whether the response to an offer reports a warm start.
pub fn is_warm(response: &Response) -> bool {
    assert_eq!(response.status, 200, "{response:?}");
    let body = response.json();
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{body}");
    body["didWarmStart"].as_bool().expect("a boolean")
}
