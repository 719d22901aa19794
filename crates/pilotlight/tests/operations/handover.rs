//! Restarts: the listening socket is passed from one process to the next, so that no client finds it closed.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pilotlight_testkit::http::Connection;
use pilotlight_testkit::need;
use pilotlight_testkit::node::NodeRunners;
use pilotlight_testkit::run_message::{self, DEPLOYMENT, VERSION, run};
use pilotlight_testkit::server::{TestServer, pilotlight_binary};
use pilotlight_testkit::wait::{pause, wait_until};
use serde_json::json;

const RUNNERS: usize = 200;

/// The role of systemd for a socket unit: it owns the socket, and each started service gets it as descriptor 3.
struct SocketOwner(OwnedFd);

impl SocketOwner {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("loopback has a free port").into())
    }

    fn start(&self) -> TestServer {
        let mut command = Command::new("bash");
        let script = r#"exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0" "$@""#;
        command.args(["-c", script]).arg(pilotlight_binary());
        let socket = Stdio::from(self.0.try_clone().expect("a descriptor is free"));
        let settings = [("CONNECTION_TIMEOUT_MS", "2000"), ("KEEPALIVE_MS", "600000")];
        TestServer::launch(command, &[], &settings, socket)
    }
}

/// Offers runs at a steady rate until `stop`. After a failed offer it opens a new connection, like a supervisor.
/// Returns the number of offers, and the failed ones.
fn offer_until(stop: &std::sync::atomic::AtomicBool, address: std::net::SocketAddr) -> (usize, Vec<String>) {
    let (mut connection, mut offers, mut failed) = (Connection::open(address), 0, Vec::new());
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        offers += 1;
        let id = format!("run_{offers}");
        let body = run_message::offer(&run(&id));
        if connection.try_send(pilotlight_testkit::http::post_request("/warm-start", body)).is_err() {
            failed.push(format!("{id}: could not be sent"));
        }
        match connection.response() {
            Ok(answer) if answer.status == 200 => {
                if answer.header("connection") == Some("close") {
                    connection = Connection::open(address);
                }
            }
            other => {
                failed.push(format!("{id}: {other:?}"));
                connection = Connection::open(address);
            }
        }
        // A steady load, below the maximum.
        pause(Duration::from_millis(5));
    }
    (offers, failed)
}

#[test]
fn alone_a_restart_with_a_handover_loses_no_client_and_no_offer() {
    need!("node", "clients");
    let socket = SocketOwner::new();
    let mut old = socket.start();
    let address = old.address();
    let names: Vec<_> = (0..RUNNERS).map(|number| format!("runner-{number}")).collect();
    let runners = NodeRunners::start(&json!({
        "url": old.url(), "runners": names, "deployment": DEPLOYMENT, "version": VERSION,
        "cpu": "0.5", "memory": "0.5", "tells": "id",
    }));
    old.wait_for_parked(RUNNERS as u64);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (offers, failed) = std::thread::scope(|scope| {
        let supervisors: Vec<_> = (0..4).map(|_| scope.spawn(|| offer_until(&stop, address))).collect();
        for _ in 0..2 {
            let next = socket.start();
            assert_eq!(next.address(), address);
            old.signal("TERM");
            assert_eq!(old.wait_for_exit().code(), Some(0));
            // All runners reconnect before the next restart.
            let started = Instant::now();
            wait_until("all runners wait or execute again", || {
                let health = next.health();
                let count = |name: &str| health[name].as_u64().expect("a count");
                count("waitingRunners") + count("executingRunners") >= RUNNERS as u64
            });
            println!("all runners were connected after {:?}", started.elapsed());
            old = next;
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let results: Vec<_> =
            supervisors.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        let offers: usize = results.iter().map(|(offers, _)| offers).sum();
        (offers, results.into_iter().flat_map(|(_, failed)| failed).collect::<Vec<_>>())
    });
    println!("{offers} offers");
    assert!(failed.is_empty(), "{} of {offers}: {:?}", failed.len(), &failed[..failed.len().min(5)]);
    let exited = [runners.events("ended"), runners.events("failed")].concat();
    assert!(exited.is_empty(), "clients exited: {exited:?}");
}

#[test]
fn with_a_shared_port_the_next_process_takes_over() {
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        free.local_addr().expect("it is bound").port().to_string()
    };
    let settings = [("PILOTLIGHT_SERVER_REUSE_PORT", "on"), ("PILOTLIGHT_SERVER_PORT", port.as_str())];
    let mut old = TestServer::with(&settings);
    let new = TestServer::with(&settings);
    assert_eq!(old.address(), new.address());
    old.signal("TERM");
    assert_eq!(old.wait_for_exit().code(), Some(0));
    new.assert_healthy();
}
