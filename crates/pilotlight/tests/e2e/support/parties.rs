//! The two parties on raw sockets: a runner's poll, and a supervisor that offers.

use std::net::SocketAddr;

use serde_json::Value;

use super::http::{Answer, Connection};
use super::message::{self, DEPLOYMENT, VERSION};

/// The poll's path, spelled so that HTTP's machinery serves it and not the front before that.
pub(crate) const BEHIND_THE_FRONT: &str = "/warm-start?behind";

/// A poll's head, in parts that a test may change.
#[derive(Clone)]
pub(crate) struct Poll {
    pub(crate) deployment: String,
    pub(crate) version: String,
    pub(crate) runner: String,
    pub(crate) cpu: String,
    pub(crate) memory: String,
    /// Whole lines, each with its line break.
    pub(crate) more: String,
}

impl Poll {
    /// A poll that fits [`message::run`].
    pub(crate) fn by(runner: &str) -> Self {
        Self {
            deployment: DEPLOYMENT.to_owned(),
            version: VERSION.to_owned(),
            runner: runner.to_owned(),
            cpu: "0.5".to_owned(),
            memory: "0.5".to_owned(),
            more: String::new(),
        }
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, header: &str) -> Self {
        self.more += &format!("{header}\r\n");
        self
    }

    /// The request.
    pub(crate) fn request(&self) -> String {
        let Self { deployment, version, runner, cpu, memory, more } = self;
        format!(
            "GET /warm-start HTTP/1.1\r\nhost: localhost\r\n\
             x-trigger-deployment-id: {deployment}\r\nx-trigger-deployment-version: {version}\r\n\
             x-trigger-workload-controller-id: {runner}\r\nx-trigger-worker-instance-name: node-1\r\n\
             x-trigger-machine-cpu: {cpu}\r\nx-trigger-machine-memory: {memory}\r\n{more}\r\n"
        )
    }

    /// Polls on a connection of its own.
    pub(crate) fn send_to(&self, server: SocketAddr) -> Connection {
        let mut connection = Connection::open(server);
        connection.send(self.request());
        connection
    }
}

/// Offers runs, one after the other on one connection.
pub(crate) struct Supervisor(Connection);

impl Supervisor {
    pub(crate) fn at(server: SocketAddr) -> Self {
        Self(Connection::open(server))
    }

    /// Whether the run is said to be with a runner.
    pub(crate) fn offer(&mut self, run: &Value) -> bool {
        self.offer_text(&message::offer(run))
    }

    /// The same for a body as it is.
    pub(crate) fn offer_text(&mut self, body: &str) -> bool {
        is_warm(&self.0.post("/warm-start", body))
    }

    /// Runners that wait.
    pub(crate) fn waiting(&mut self) -> u64 {
        self.0.get("/health").json()["waitingRunners"].as_u64().expect("health counts the waiting")
    }
}

/// What an offer's answer says.
pub(crate) fn is_warm(answer: &Answer) -> bool {
    assert_eq!(answer.status, 200, "{answer:?}");
    let said = answer.json();
    assert_eq!(said.as_object().map(serde_json::Map::len), Some(1), "{said}");
    said["didWarmStart"].as_bool().expect("an offer's answer says whether")
}
