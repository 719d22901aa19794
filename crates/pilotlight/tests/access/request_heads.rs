//! Invalid request heads: bytes that are not HTTP, and heads that are too large. They may get hyper's own 400 or 431,
//! which have no body, or their connection is closed.

use std::io::Write;

use pilotlight_testkit::http::{Connection, NoResponse};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use pilotlight_testkit::warm_start::Poll;

/// Sends bytes, and asserts that they get a 4xx or that the connection is closed.
fn assert_rejected(server: &TestServer, bytes: &[u8]) {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]);
    let mut caller = server.connect();
    // The server may close the connection before the last byte is sent.
    _ = caller.try_send(bytes);
    match caller.response() {
        Ok(answer) => assert!((400..500).contains(&answer.status), "{start}: {answer:?}"),
        Err(NoResponse::Closed | NoResponse::Reset) => {}
        Err(NoResponse::Incomplete(_) | NoResponse::Timeout) => {
            panic!("{start}: neither answered nor closed")
        }
    }
}

#[test]
fn bytes_that_are_not_http_are_rejected() {
    let server = TestServer::start();
    for bytes in [
        b"\0\0\0\0\r\n\r\n".as_slice(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /health HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /health HTTP/1.1\r\n: no name\r\n\r\n",
        b"GET /health HTTP/1.1\r\nbad name: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nname : x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nx: a\0b\r\n\r\n",
        b"GET /he alth HTTP/1.1\r\n\r\n",
        b"GET health HTTP/1.1\r\n\r\n",
        b"G\xc3\x89T /health HTTP/1.1\r\n\r\n",
        b"POST /warm-start HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"POST /warm-start HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /warm-start HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"POST /warm-start HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        b"POST /warm-start HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
        b"POST /warm-start HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n{}",
        b"POST /warm-start HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        assert_rejected(&server, bytes);
    }
    server.assert_healthy();
}

#[test]
fn a_head_that_is_too_large_is_rejected() {
    let server = TestServer::start();
    let poll = |header: &str| Poll::by("runner-1").with_header(header).request();
    assert_rejected(&server, poll(&format!("x: {}", "y".repeat(20_000))).as_bytes());
    assert_rejected(&server, poll(&format!("x: {}", "y".repeat(10_000_000))).as_bytes());
    assert_rejected(&server, poll(&"x: y\r\n".repeat(1000)).as_bytes());
    assert_rejected(&server, format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(100_000)).as_bytes());
    assert_rejected(&server, &vec![b'x'; 10_000_000]);
    assert_rejected(&server, &b"\r\n".repeat(1_000_000));
    server.assert_healthy();
}

#[test]
fn an_incomplete_head_leaves_nothing_open() {
    let server = TestServer::start();
    let request = Poll::by("runner-1").request();
    for end in [0, 1, 5, request.len() / 2, request.len() - 1] {
        let mut caller = server.connect();
        caller.send(&request[..end]);
        caller.shutdown_write();
        match caller.response() {
            Ok(answer) => assert_eq!(answer.status, 400, "{end}"),
            Err(none) => assert!(matches!(none, NoResponse::Closed | NoResponse::Reset), "{end}: {none:?}"),
        }
    }
    wait_until("all connections are closed", || server.health()["connections"] == 1);
    server.assert_healthy();
}

#[test]
fn a_head_that_arrives_byte_by_byte_is_read() {
    let server = TestServer::start();
    let mut caller = server.connect();
    for byte in b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n" {
        caller.send([*byte]);
    }
    assert_eq!(caller.response().expect("health").json()["status"], "ok");
}

#[test]
fn many_silent_connections_do_not_disturb_other_clients() {
    let server = TestServer::with(&[("PILOTLIGHT_SERVER_MAX_CONNECTIONS", "256")]);
    let silent: Vec<Connection> = (0..200).map(|_| server.connect()).collect();
    server.assert_healthy();
    for caller in &silent[..100] {
        _ = caller.stream().write_all(b"GET /hea");
    }
    server.assert_healthy();
    drop(silent);
    wait_until("all connections are closed", || server.health()["connections"] == 1);
}
