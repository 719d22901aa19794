//! Ten thousand hostile connections, all open at once, while runners and supervisors continue to work. When the
//! connections are closed, the service returns the memory that they took.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use pilotlight_testkit::http::post_request;
use pilotlight_testkit::run_message::{self, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{pause, wait_until};
use pilotlight_testkit::warm_start::{GENERAL_PATH, Poll};

const CONNECTIONS: usize = 10_000;
/// Number of loopback addresses that connections come from. One address has ports for 28,000 connections, and ports of
/// earlier tests may not be free yet.
const ADDRESSES: usize = 4;
/// How long single bytes are sent.
const TRICKLE_TIME: Duration = Duration::from_secs(5);
/// The statuses that a poll may get. Its connection may also be closed without a response.
const POLL_STATUSES: [u16; 3] = [400, 401, 410];

/// The behaviour of a hostile connection.
pub(crate) struct HostileKind {
    name: &'static str,
    /// The bytes that it sends at once.
    first: fn() -> Vec<u8>,
    /// Whether it then sends single bytes.
    trickles: bool,
    /// Whether it sends a poll.
    is_poll: bool,
}

const fn hostile(name: &'static str, first: fn() -> Vec<u8>) -> HostileKind {
    HostileKind { name, first, trickles: false, is_poll: false }
}

const fn poll(name: &'static str, first: fn() -> Vec<u8>) -> HostileKind {
    HostileKind { is_poll: true, ..hostile(name, first) }
}

fn head(start: &str, lines: &str) -> Vec<u8> {
    format!("{start} HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n").into_bytes()
}

fn endless(start: &str) -> Vec<u8> {
    let endless = format!("x: {}", "x".repeat(64 * 1024));
    [format!("{start} HTTP/1.1\r\nhost: localhost\r\n").as_bytes(), endless.as_bytes()].concat()
}

pub(crate) const KINDS: &[HostileKind] = &[
    hostile("silent", Vec::new),
    hostile("half a head", || b"GET /warm-start HTTP/1.1\r\nhost: localhost\r\nx-trigger-dep".to_vec()),
    HostileKind {
        trickles: true,
        ..hostile("one byte a second", || b"POST /warm-start HTTP/1.1\r\n".to_vec())
    },
    poll("an endless header of a poll", || endless("GET /warm-start")),
    hostile("an endless header of an offer", || endless("POST /warm-start")),
    poll("polls in a row", || Poll::by("pipelined").request().repeat(3).into_bytes()),
    poll("a poll and an offer in a row", || {
        [Poll::by("pipelined").request().into_bytes(), post_request("/warm-start", "{}")].concat()
    }),
    hostile("a wrong method", || head("PUT /warm-start", "content-length: 2\r\n")),
    hostile("an invalid method", || head("\u{1F680} /warm-start", "")),
    hostile("100 MB announced", || head("POST /warm-start", "content-length: 100000000\r\n")),
    hostile("a content length that is out of range", || {
        head("POST /warm-start", "content-length: 99999999999999999999\r\n")
    }),
    hostile("a body after 100-continue", || {
        head("POST /warm-start", "expect: 100-continue\r\ncontent-length: 1000\r\n")
    }),
    poll("a poll with a body after 100-continue", || {
        head("GET /warm-start", "expect: 100-continue\r\ncontent-length: 10\r\n")
    }),
    poll("a poll with a body", || {
        [head("GET /warm-start", "content-length: 4\r\n"), b"body".to_vec()].concat()
    }),
    poll("a poll without its headers", || head("GET /warm-start", "")),
    poll("a poll with an invalid number", || {
        let lines = "x-trigger-deployment-id: d\r\nx-trigger-deployment-version: 1\r\n\
                     x-trigger-workload-controller-id: r\r\nx-trigger-machine-cpu: NaN\r\n";
        head("GET /warm-start", lines)
    }),
    hostile("invalid chunks", || {
        [head("POST /warm-start", "transfer-encoding: chunked\r\n"), b"zz\r\nnothing".to_vec()].concat()
    }),
    hostile("a body that is not JSON", || {
        post_request("/warm-start", "{\"dequeuedMessage\": {\"deployment\": [")
    }),
    hostile("TLS", || b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20)),
    hostile("only zeros", || vec![0; 2000]),
];

pub(crate) struct Connection {
    kind: &'static HostileKind,
    stream: TcpStream,
}

impl Connection {
    pub(crate) fn open(number: usize, to: SocketAddr) -> Self {
        let kind = &KINDS[number % KINDS.len()];
        let from = Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number % ADDRESSES).expect("few addresses"));
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((from, 0)).into()).expect("loopback has a free port");
        socket.connect(&to.into()).unwrap_or_else(|error| panic!("failed to connect {number}: {error}"));
        Self::on(kind, TcpStream::from(socket))
    }

    /// Connects to a service that is not on a loopback address.
    pub(crate) fn open_remote(number: usize, to: SocketAddr) -> Self {
        Self::on(&KINDS[number % KINDS.len()], TcpStream::connect(to).expect("the service listens"))
    }

    fn on(kind: &'static HostileKind, mut stream: TcpStream) -> Self {
        stream.set_write_timeout(Some(Duration::from_secs(10))).expect("an open socket");
        // The service may close the connection before all bytes are sent.
        _ = stream.write_all(&(kind.first)());
        stream.set_nonblocking(true).expect("an open socket");
        Self { kind, stream }
    }

    fn trickle(&mut self) {
        if self.kind.trickles {
            _ = self.stream.write(b"x");
        }
    }

    /// The status of the response so far; `None` when there is none.
    fn status(&mut self) -> Option<u16> {
        let mut bytes = [0; 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => None,
            Ok(read) => {
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
                assert!(status.is_some(), "{}: answered {text:?}", self.kind.name);
                status
            }
            Err(error) => {
                let expected = [ErrorKind::WouldBlock, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
                assert!(expected.contains(&error.kind()), "{}: {error}", self.kind.name);
                None
            }
        }
    }
}

fn open_all(to: SocketAddr) -> Vec<Connection> {
    const THREADS: usize = 8;
    let open = |thread: usize| {
        let numbers = (0..CONNECTIONS).skip(thread).step_by(THREADS);
        numbers.map(|number| Connection::open(number, to)).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || open(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}

/// Asserts that a run is matched with a waiting runner.
fn assert_run_is_matched(server: &TestServer, number: usize) {
    let run = run(&format!("run_{number}"));
    let mut runner = server.park(&Poll::by(&format!("healthy-{number}")));
    assert!(server.supervisor().offer(&run), "no runner for {number}");
    assert_eq!(runner.response().expect("the run").json(), run);
}

#[test]
fn unfinished_large_offers_share_a_bounded_body_budget() {
    for path in ["/warm-start", GENERAL_PATH] {
        let server = TestServer::start();
        let started = head(&format!("POST {path}"), "content-length: 10000000\r\n");
        let unfinished: Vec<_> = (0..30)
            .map(|_| {
                let mut connection = server.connect();
                connection.send(&started);
                connection.send("{");
                connection
            })
            .collect();
        wait_until("some offers are refused", || {
            unfinished.iter().any(pilotlight_testkit::http::Connection::is_readable)
        });
        let mut refused = server.connect();
        refused.send(&started);
        let answer = refused.response().expect("an answer");
        assert_eq!((answer.status, &answer.json()["didWarmStart"]), (503, &false.into()), "{path}");
        assert_run_is_matched(&server, 1);
        drop(unfinished);
        let large = run_message::large_run("run_large", 5_000_000);
        wait_until("the body budget is free again", || {
            server.connect().post("/warm-start", run_message::offer(&large)).status == 200
        });
    }
}

#[test]
fn a_poll_gets_only_statuses_of_its_protocol() {
    let behind_a_proxy = [("PILOTLIGHT_SERVER_TRUSTED_PROXIES", "127.0.0.0/8")];
    for (settings, first) in
        [(&behind_a_proxy[..], ""), (&[], "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")]
    {
        let server = TestServer::with(settings);
        let absolute = || endless("GET http://localhost/warm-start");
        let others = [
            poll("an absolute target", absolute),
            poll("an empty line before the request", || {
                [b"\r\n".to_vec(), endless("GET /api/warm-start")].concat()
            }),
        ];
        for kind in KINDS.iter().chain(&others).filter(|kind| kind.is_poll) {
            let mut connection = server.connect();
            if !first.is_empty() {
                connection.send(first);
                assert_eq!(connection.response().expect("health").status, 200);
            }
            // The service may close the connection before all bytes are sent.
            _ = connection.try_send((kind.first)());
            connection.shutdown_write();
            if let Ok(answer) = connection.response() {
                assert!(POLL_STATUSES.contains(&answer.status), "{}: {}", kind.name, answer.status);
            }
        }
    }
}

mod alone {
    use super::*;

    #[test]
    fn ten_thousand_hostile_connections_disturb_no_client_and_leave_no_memory() {
        let server = TestServer::start();
        let waiting: Vec<_> =
            (0..20).map(|number| server.park(&Poll::by(&format!("waiting-{number}")))).collect();
        // After these connections the allocator and the runtime have the memory that they always need.
        (0..50).for_each(|number| assert_run_is_matched(&server, number));
        drop((0..500).map(|number| Connection::open(number, server.address())).collect::<Vec<_>>());
        wait_until("the first connections are closed", || {
            server.health()["connections"].as_u64() <= Some(25)
        });
        let before = server.resident_kib();

        let mut connections = open_all(server.address());
        let peak = server.resident_kib();
        let end = Instant::now() + TRICKLE_TIME;
        let mut number = 50;
        while Instant::now() < end {
            connections.iter_mut().for_each(Connection::trickle);
            assert_run_is_matched(&server, number);
            number += 1;
            // Hostile connections send single bytes with pauses.
            pause(Duration::from_millis(500));
        }
        let mut answered = std::collections::BTreeMap::<_, usize>::new();
        for connection in &mut connections {
            let status = connection.status();
            let (name, is_poll) = (connection.kind.name, connection.kind.is_poll);
            assert!(status.is_none_or(|status| status < 500), "{name}: {status:?}");
            assert!(
                !is_poll || status.is_none_or(|status| POLL_STATUSES.contains(&status)),
                "{name}: {status:?}"
            );
            *answered.entry((name, status)).or_default() += 1;
        }
        drop(connections);
        wait_until("the hostile connections are closed", || {
            server.health()["connections"].as_u64() <= Some(25)
        });
        wait_until("the memory is returned to the system", || {
            // A sleeping thread returns memory only after it wakes up; the request wakes one.
            server.health();
            server.resident_kib().saturating_sub(before) <= before / 10
        });
        println!("{CONNECTIONS} connections: {answered:?}");
        let after = server.resident_kib();
        println!("resident: {before} KiB before, {peak} KiB with all connections open, {after} KiB after");
        for (number, connection) in waiting.into_iter().enumerate() {
            assert!(!connection.is_readable(), "waiting-{number} got a response or was closed");
        }
        server.wait_for_parked(0);
        server.assert_healthy();
    }
}
