//! The product itself. It is started once in this process, on its own port.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use pilotlight_server::App;
use pilotlight_server::config::Config;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::panics::{self, PRODUCT_THREAD};

/// Every request must be answered within this time. Usually it takes far less than a millisecond.
pub const DEADLINE: Duration = Duration::from_secs(3);

/// The running product.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    panics_before: usize,
    _app: App,
    runtime: Option<Runtime>,
}

/// The part of the health response that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Health {
    polls: u64,
    connections: u64,
}

/// Runs `test` on the server of this process. Tests run one at a time, so that a parked poll can belong to one test
/// only. After a failed test, the next test gets a new server.
pub fn with_server<T>(test: impl FnOnce(&Server) -> T) -> T {
    static SERVER: Mutex<Option<Server>> = Mutex::new(None);
    let mut server = SERVER.lock().unwrap_or_else(|poisoned| {
        SERVER.clear_poison();
        let mut server = poisoned.into_inner();
        *server = None;
        server
    });
    test(server.get_or_insert_with(Server::start))
}

impl Server {
    fn start() -> Self {
        let panics_before = panics::product_panics();
        let mut config = Config::default();
        config.server.port = 0;
        let runtime =
            Builder::new_multi_thread().worker_threads(2).thread_name(PRODUCT_THREAD).enable_all().build();
        let runtime = runtime.expect("a runtime can be created");
        let started = runtime.block_on(async {
            // Rust's own startup code ignores this signal. A fuzzer starts in another way, and would be killed when a
            // client closes its connection.
            drop(signal(SignalKind::pipe())?);
            App::start(&config, Some(&["warm-start", "dashboard"])).await
        });
        let app = started.unwrap_or_else(|error| panic!("the product does not start: {error:#}"));
        Self { address: app.address(), panics_before, _app: app, runtime: Some(runtime) }
    }

    /// Connects to the server. Reads and writes time out after the deadline.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, DEADLINE)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(stream)
    }

    /// Number of parked polls.
    ///
    /// # Panics
    /// When the server does not respond.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.health().expect("/health is answered").polls
    }

    /// Checks that the server is healthy, and that no poll and no connection of earlier clients remains.
    ///
    /// # Panics
    /// When a poll or a connection remains, or the server does not respond.
    pub fn must_be_idle(&self) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let health = self.health().expect("/health is answered");
            // The health request uses a connection too.
            if health == (Health { polls: 0, connections: 1 }) {
                break;
            }
            assert!(Instant::now() < deadline, "{DEADLINE:?} after the client has disconnected: {health:?}");
            thread::sleep(Duration::from_micros(200));
        }
        assert_eq!(panics::product_panics(), self.panics_before, "the product panicked");
    }

    fn health(&self) -> io::Result<Health> {
        let mut stream = self.connect()?;
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        health(&answer).ok_or_else(|| io::Error::other(format!("b\"{}\"", answer.escape_ascii())))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A task that hangs must not block the next test.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn health(answer: &[u8]) -> Option<Health> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let is_ok = head.starts_with("HTTP/1.1 200 ") && body["status"] == "ok";
    let polls = body["waitingRunners"].as_u64()?;
    is_ok.then_some(Health { polls, connections: body["connections"].as_u64()? })
}
