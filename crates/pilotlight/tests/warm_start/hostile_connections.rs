//! Ten thousand connections that mean no good, all open at once, beside runners and supervisors who go on unharmed.
//! When they are gone, so is the memory that they took.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use pilotlight_testkit::http::post_request;
use pilotlight_testkit::run_message::{self, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{pause, wait_until};
use pilotlight_testkit::warm_start::{GENERAL_PATH, Poll};

const CONNECTIONS: usize = 10_000;
/// One address of loopback has ports for 28,000 connections; those of tests before may not be free yet.
const ADDRESSES: usize = 4;
/// For how long one byte a second is sent.
const TRICKLE_FOR: Duration = Duration::from_secs(5);
/// What a poll may be answered, besides a closed connection.
const POLL_STATUSES: [u16; 3] = [400, 401, 410];

/// What a connection does after it is open.
pub(crate) struct Hostile {
    name: &'static str,
    /// Sent at once.
    first: fn() -> Vec<u8>,
    /// Whether one byte a second follows.
    trickles: bool,
    asks_for_a_poll: bool,
}

const fn hostile(name: &'static str, first: fn() -> Vec<u8>) -> Hostile {
    Hostile { name, first, trickles: false, asks_for_a_poll: false }
}

const fn poll(name: &'static str, first: fn() -> Vec<u8>) -> Hostile {
    Hostile { asks_for_a_poll: true, ..hostile(name, first) }
}

fn head(start: &str, lines: &str) -> Vec<u8> {
    format!("{start} HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n").into_bytes()
}

fn endless(start: &str) -> Vec<u8> {
    let endless = format!("x: {}", "x".repeat(64 * 1024));
    [format!("{start} HTTP/1.1\r\nhost: localhost\r\n").as_bytes(), endless.as_bytes()].concat()
}

pub(crate) const KINDS: &[Hostile] = &[
    hostile("silent", Vec::new),
    hostile("half a head", || b"GET /warm-start HTTP/1.1\r\nhost: localhost\r\nx-trigger-dep".to_vec()),
    Hostile { trickles: true, ..hostile("one byte a second", || b"POST /warm-start HTTP/1.1\r\n".to_vec()) },
    poll("an endless header of a poll", || endless("GET /warm-start")),
    hostile("an endless header of an offer", || endless("POST /warm-start")),
    poll("polls in a row", || Poll::by("pipelined").request().repeat(3).into_bytes()),
    poll("a poll and an offer in a row", || {
        [Poll::by("pipelined").request().into_bytes(), post_request("/warm-start", "{}")].concat()
    }),
    hostile("a wrong method", || head("PUT /warm-start", "content-length: 2\r\n")),
    hostile("a method that is none", || head("\u{1F680} /warm-start", "")),
    hostile("100 MB announced", || head("POST /warm-start", "content-length: 100000000\r\n")),
    hostile("more than a number", || head("POST /warm-start", "content-length: 99999999999999999999\r\n")),
    hostile("a body that is waited for", || {
        head("POST /warm-start", "expect: 100-continue\r\ncontent-length: 1000\r\n")
    }),
    poll("a poll that waits for its body", || {
        head("GET /warm-start", "expect: 100-continue\r\ncontent-length: 10\r\n")
    }),
    poll("a poll with a body", || {
        [head("GET /warm-start", "content-length: 4\r\n"), b"body".to_vec()].concat()
    }),
    poll("a poll without its headers", || head("GET /warm-start", "")),
    poll("a poll for no number", || {
        let lines = "x-trigger-deployment-id: d\r\nx-trigger-deployment-version: 1\r\n\
                     x-trigger-workload-controller-id: r\r\nx-trigger-machine-cpu: NaN\r\n";
        head("GET /warm-start", lines)
    }),
    hostile("chunks that are none", || {
        [head("POST /warm-start", "transfer-encoding: chunked\r\n"), b"zz\r\nnothing".to_vec()].concat()
    }),
    hostile("a body that is no JSON", || {
        post_request("/warm-start", "{\"dequeuedMessage\": {\"deployment\": [")
    }),
    hostile("TLS", || b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20)),
    hostile("nothing but zeros", || vec![0; 2000]),
];

pub(crate) struct Connection {
    kind: &'static Hostile,
    stream: TcpStream,
}

impl Connection {
    pub(crate) fn open(number: usize, to: SocketAddr) -> Self {
        let kind = &KINDS[number % KINDS.len()];
        let from = Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number % ADDRESSES).expect("few"));
        let socket =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((from, 0)).into()).expect("loopback has a free port");
        socket.connect(&to.into()).unwrap_or_else(|error| panic!("failed to connect {number}: {error}"));
        Self::on(kind, TcpStream::from(socket))
    }

    /// The same to a service that is not on loopback.
    pub(crate) fn to_elsewhere(number: usize, to: SocketAddr) -> Self {
        Self::on(&KINDS[number % KINDS.len()], TcpStream::connect(to).expect("it listens"))
    }

    fn on(kind: &'static Hostile, mut stream: TcpStream) -> Self {
        stream.set_write_timeout(Some(Duration::from_secs(10))).expect("an open socket");
        // It may be refused before all of it is sent.
        _ = stream.write_all(&(kind.first)());
        stream.set_nonblocking(true).expect("an open socket");
        Self { kind, stream }
    }

    fn trickle(&mut self) {
        if self.kind.trickles {
            _ = self.stream.write(b"x");
        }
    }

    /// The status of what it was answered so far.
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

/// A runner parks, a run is offered, and it has it.
fn goes_on(server: &TestServer, number: usize) {
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
        wait_until("they share the room", || {
            unfinished.iter().any(pilotlight_testkit::http::Connection::is_readable)
        });
        let mut refused = server.connect();
        refused.send(&started);
        let answer = refused.response().expect("an answer");
        assert_eq!((answer.status, &answer.json()["didWarmStart"]), (503, &false.into()), "{path}");
        goes_on(&server, 1);
        drop(unfinished);
        let large = run_message::large_run("run_large", 5_000_000);
        wait_until("there is room again", || {
            server.connect().post("/warm-start", run_message::offer(&large)).status == 200
        });
    }
}

#[test]
fn a_poll_is_answered_by_its_protocol_alone_however_it_comes() {
    let behind_a_proxy = [("PILOTLIGHT_SERVER_TRUSTED_PROXIES", "127.0.0.0/8")];
    for (settings, first) in
        [(&behind_a_proxy[..], ""), (&[], "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")]
    {
        let server = TestServer::with(settings);
        let absolute = || endless("GET http://localhost/warm-start");
        let others = [
            poll("an absolute target", absolute),
            poll("a line before", || [b"\r\n".to_vec(), endless("GET /api/warm-start")].concat()),
        ];
        for kind in KINDS.iter().chain(&others).filter(|kind| kind.asks_for_a_poll) {
            let mut connection = server.connect();
            if !first.is_empty() {
                connection.send(first);
                assert_eq!(connection.response().expect("health").status, 200);
            }
            // It may be refused before all of it is sent.
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
    fn ten_thousand_hostile_connections_harm_nobody_and_leave_nothing() {
        let server = TestServer::start();
        let waiting: Vec<_> =
            (0..20).map(|number| server.park(&Poll::by(&format!("waiting-{number}")))).collect();
        // What the allocator and the runtime need at all is there after the first few.
        (0..50).for_each(|number| goes_on(&server, number));
        drop((0..500).map(|number| Connection::open(number, server.address())).collect::<Vec<_>>());
        wait_until("the first are gone", || server.health()["connections"].as_u64() <= Some(25));
        let before = server.resident_kib();

        let mut connections = open_all(server.address());
        let most = server.resident_kib();
        let end = Instant::now() + TRICKLE_FOR;
        let mut number = 50;
        while Instant::now() < end {
            connections.iter_mut().for_each(Connection::trickle);
            goes_on(&server, number);
            number += 1;
            // The subject: senders of one byte now and then.
            pause(Duration::from_millis(500));
        }
        let mut answered = std::collections::BTreeMap::<_, usize>::new();
        for connection in &mut connections {
            let status = connection.status();
            let (name, allowed) = (connection.kind.name, connection.kind.asks_for_a_poll);
            assert!(status.is_none_or(|status| status < 500), "{name}: {status:?}");
            assert!(
                !allowed || status.is_none_or(|status| POLL_STATUSES.contains(&status)),
                "{name}: {status:?}"
            );
            *answered.entry((name, status)).or_default() += 1;
        }
        drop(connections);
        wait_until("they are gone", || server.health()["connections"].as_u64() <= Some(25));
        wait_until("their memory is given back", || {
            // Threads that sleep give nothing back until they wake.
            server.health();
            server.resident_kib().saturating_sub(before) <= before / 10
        });
        println!("{CONNECTIONS} connections: {answered:?}");
        let after = server.resident_kib();
        println!("resident: {before} KiB before, {most} KiB with all of them open, {after} KiB after");
        for (number, connection) in waiting.into_iter().enumerate() {
            assert!(!connection.is_readable(), "waiting-{number} was disturbed");
        }
        server.wait_for_parked(0);
        server.assert_healthy();
    }
}
