//! Invalid and unusual polls. A poll gets 200, 400, 401 or 410, or its connection is closed without a byte: a real
//! runner exits after any other status.

use pilotlight_testkit::http::{Connection, NoResponse};
use pilotlight_testkit::run_message::run;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use pilotlight_testkit::warm_start::{GENERAL_PATH, Poll};

/// Sends the request on a new connection, and asserts that it gets a 400 whose error text contains `name`.
fn assert_refused(server: &TestServer, request: impl AsRef<[u8]>, name: &str) {
    let mut runner = server.connect();
    runner.send(&request);
    let answer = runner.response().unwrap_or_else(|none| panic!("{name}: {none:?}"));
    assert_eq!(answer.status, 400, "{name}: {}", answer.text());
    assert!(answer.error_text().contains(name), "{name}: {}", answer.text());
}

fn without(header: &str) -> String {
    let request = Poll::by("runner-1").request();
    request.split_inclusive("\r\n").filter(|line| !line.starts_with(header)).collect()
}

const REQUIRED: [&str; 3] =
    ["x-trigger-deployment-id", "x-trigger-deployment-version", "x-trigger-workload-controller-id"];
const MACHINE: [&str; 2] = ["x-trigger-machine-cpu", "x-trigger-machine-memory"];

/// A poll with another value for one header.
fn with(header: &str, value: &str) -> String {
    let request = without(header);
    request.replacen("\r\n\r\n", &format!("\r\n{header}: {value}\r\n\r\n"), 1)
}

#[test]
fn a_missing_empty_or_too_long_header_is_refused_by_name() {
    let server = TestServer::start();
    for header in REQUIRED {
        assert_refused(&server, without(header), header);
        for value in ["", "   ", &"x".repeat(5000)] {
            assert_refused(&server, with(header, value), header);
        }
    }
    assert_refused(
        &server,
        with("x-trigger-worker-instance-name", &"x".repeat(300)),
        "x-trigger-worker-instance-name",
    );
    server.assert_healthy();
}

#[test]
fn a_duplicate_header_is_refused_by_name() {
    let server = TestServer::start();
    for header in REQUIRED.into_iter().chain(MACHINE).chain(["x-trigger-worker-instance-name"]) {
        assert_refused(
            &server,
            Poll::by("runner-1").with_header(&format!("{header}: 0.5")).request(),
            header,
        );
    }
    server.assert_healthy();
}

#[test]
fn an_id_that_is_not_ascii_is_refused_by_name() {
    let server = TestServer::start();
    for header in REQUIRED {
        assert_refused(&server, with(header, "dép-🚀"), header);
        let latin_1 = with(header, "d?p").into_bytes();
        let latin_1: Vec<u8> =
            latin_1.into_iter().map(|byte| if byte == b'?' { 0xe9 } else { byte }).collect();
        assert_refused(&server, latin_1, header);
    }
    server.assert_healthy();
}

#[test]
fn an_invalid_machine_number_is_refused_by_name() {
    let server = TestServer::start();
    for header in MACHINE {
        for value in
            ["NaN", "Infinity", "-1", "-0.5", "1e999", "0x10", "1,5", "undefined", "", "0.5 0.5", "one"]
        {
            assert_refused(&server, with(header, value), header);
        }
    }
    server.assert_healthy();
}

#[test]
fn unusual_machine_numbers_are_accepted() {
    let server = TestServer::start();
    for value in ["1e+21", "5e-324", "-0", "00.5", "1e308", " 0.5 "] {
        let mut runner = server.connect();
        runner.send(with("x-trigger-machine-cpu", value));
        server.wait_for_parked(1);
        drop(runner);
        server.wait_for_parked(0);
    }
    server.assert_healthy();
}

#[test]
fn a_poll_with_a_body_is_refused() {
    let server = TestServer::start();
    for (framing, body) in
        [("content-length: 2", "{}"), ("transfer-encoding: chunked", "2\r\n{}\r\n0\r\n\r\n")]
    {
        let request = Poll::by("runner-1").with_header(framing).request() + body;
        assert_refused(&server, request, "body");
        // The poll is also refused when the body never arrives.
        assert_refused(&server, Poll::by("runner-1").with_header(framing).request(), "body");
    }
    server.assert_healthy();
}

#[test]
fn a_poll_from_a_web_page_is_refused() {
    let server = TestServer::start();
    for origin in ["http://127.0.0.1", "https://evil.example", "null", ""] {
        assert_refused(
            &server,
            Poll::by("runner-1").with_header(&format!("origin: {origin}")).request(),
            "Origin",
        );
    }
    server.assert_healthy();
}

#[test]
fn a_poll_is_removed_at_once_however_its_client_disconnects() {
    let server = TestServer::start();
    let closed = server.park(&Poll::by("runner-1"));
    drop(closed);
    server.wait_for_parked(0);
    let mut half_closed = server.park(&Poll::by("runner-2"));
    half_closed.shutdown_write();
    assert_eq!(half_closed.response(), Err(NoResponse::Closed));
    server.wait_for_parked(0);
    let reset = server.park(&Poll::by("runner-3"));
    socket2::SockRef::from(reset.stream())
        .set_linger(Some(std::time::Duration::ZERO))
        .expect("an open socket");
    drop(reset);
    server.wait_for_parked(0);
    assert!(!server.supervisor().offer(&run("run_1")));
    server.assert_healthy();
}

#[test]
fn a_poll_over_http_1_0_without_a_host_gets_its_run() {
    let server = TestServer::start();
    for host in ["host: localhost\r\n", ""] {
        let mut runner = server.connect();
        let request = Poll::by("runner-1")
            .request()
            .replace("HTTP/1.1", "HTTP/1.0")
            .replace("host: localhost\r\n", host);
        runner.send(request);
        server.wait_for_parked(1);
        assert!(server.supervisor().offer(&run("run_1")));
        assert_eq!(runner.response().expect("the run").json(), run("run_1"));
        assert_eq!(runner.response(), Err(NoResponse::Closed));
    }
    server.assert_healthy();
}

#[test]
fn a_poll_is_accepted_on_all_its_paths() {
    let server = TestServer::start();
    for path in ["/api/warm-start", "/warm-start?x=1", "http://localhost/warm-start"] {
        let mut runner = server.connect();
        runner.send(Poll::by("runner-1").request().replacen("/warm-start", path, 1));
        server.wait_for_parked(1);
        let answer =
            server.connect().post("/api/warm-start", pilotlight_testkit::run_message::offer(&run("run_1")));
        assert_eq!(answer.json()["didWarmStart"], true);
        assert_eq!(runner.response().expect("the run").json(), run("run_1"));
    }
    server.assert_healthy();
}

#[test]
fn bytes_sent_while_a_poll_is_parked_end_it_with_an_error_text() {
    let server = TestServer::start();
    let health = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for more in [health, &Poll::by("runner-1").request(), "x", "\r\n"] {
        // The bytes are sent together with the poll, and after the poll is parked.
        let mut runner = server.connect();
        runner.send(Poll::by("runner-1").request() + more);
        assert_ended_with_error_text(runner);
        let mut runner = server.park(&Poll::by("runner-1"));
        runner.send(more);
        assert_ended_with_error_text(runner);
    }
    server.assert_healthy();
}

fn assert_ended_with_error_text(mut runner: Connection) {
    let answer = runner.response().expect("an answer");
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(!answer.error_text().is_empty());
    assert_eq!(runner.response(), Err(NoResponse::Closed));
}

#[test]
fn a_client_that_pipelined_and_left_gets_no_run() {
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "2000")]);
    for path in ["/warm-start", GENERAL_PATH] {
        let mut runner = server.connect();
        let poll = Poll::by("runner-1").request().replacen("/warm-start", path, 1);
        runner.send(poll + "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n");
        drop(runner);
        assert!(!server.supervisor().offer(&run("run_1")), "{path}");
    }
    server.assert_healthy();
}

#[test]
fn a_refused_poll_leaves_its_connection_usable() {
    let server = TestServer::start();
    let mut runner = server.connect();
    runner.send(without("x-trigger-deployment-id"));
    assert_eq!(runner.response().expect("an answer").status, 400);
    runner.send(Poll::by("runner-1").request());
    server.wait_for_parked(1);
    assert!(server.supervisor().offer(&run("run_1")));
    assert_eq!(runner.response().expect("the run").json(), run("run_1"));
    server.assert_healthy();
}

#[test]
fn beyond_the_limit_polls_are_closed_without_a_byte_and_supervisors_are_accepted() {
    let server = TestServer::with(&[("PILOTLIGHT_SERVER_MAX_CONNECTIONS", "32")]);
    let mut runners: Vec<Connection> =
        (0..30).map(|number| server.park(&Poll::by(&format!("runner-{number}")))).collect();
    let mut beyond = Poll::by("runner-30").send_to(server.address());
    assert_eq!(beyond.response(), Err(NoResponse::Closed));
    let mut supervisor = server.supervisor();
    assert!(supervisor.offer(&run("run_1")));
    assert_eq!(runners[29].response().expect("the run").json(), run("run_1"));
    drop(runners);
    wait_until("all polls are removed", || supervisor.parked() == 0);
    server.assert_healthy();
}
