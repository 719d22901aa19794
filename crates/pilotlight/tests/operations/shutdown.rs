//! The shutdown of the service: parked polls are closed without a byte, offers in progress are answered, and the
//! shutdown takes at most the configured grace time.

use std::time::{Duration, Instant};

use pilotlight_testkit::http::{Connection, NoResponse, post_request};
use pilotlight_testkit::run_message::{self, large_run, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use pilotlight_testkit::warm_start::{GENERAL_PATH, Poll, is_warm};

/// Additional time for a loaded machine.
const SLACK: Duration = Duration::from_secs(5);

/// A setting that gives a runner time to start reading: a large run does not fit into its socket buffer.
const LONG_ACK_DEADLINE: (&str, &str) = ("PILOTLIGHT_WARM_START_ACK_DEADLINE", "5s");

/// An offer in progress: its runner has received the first bytes of the run and does not read them.
fn offer_in_progress(server: &TestServer) -> (Connection, Connection, serde_json::Value) {
    let run = large_run("run_1", 9_500_000);
    let runner = server.park(&Poll::by("slow"));
    let mut supervisor = server.connect();
    supervisor.send(post_request("/warm-start", run_message::offer(&run)));
    runner.wait_until_readable();
    (runner, supervisor, run)
}

#[test]
fn parked_polls_are_closed_without_a_byte_and_the_exit_code_is_0() {
    for signal in ["TERM", "INT"] {
        let mut server = TestServer::start();
        let mut runners: Vec<_> =
            (0..20).map(|number| server.park(&Poll::by(&format!("runner-{number}")))).collect();
        // Idle connections do not delay the shutdown.
        let mut idle = server.connect();
        assert_eq!(idle.get("/health").status, 200);
        let _silent = server.connect();
        let started = Instant::now();
        server.signal(signal);
        for runner in &mut runners {
            assert_eq!(runner.response(), Err(NoResponse::Closed), "{signal}");
        }
        assert_eq!(server.wait_for_exit().code(), Some(0), "{signal}");
        assert!(started.elapsed() < Duration::from_secs(8) + SLACK, "{signal}: {:?}", started.elapsed());
        assert_eq!(idle.response(), Err(NoResponse::Closed), "{signal}");
    }
}

#[test]
fn an_idle_service_exits_at_once() {
    let mut server = TestServer::with(&[("PILOTLIGHT_SERVER_GRACE", "10m")]);
    let mut idle = server.connect();
    idle.get("/health");
    server.signal("TERM");
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn an_offer_in_progress_is_answered() {
    let mut server = TestServer::with(&[LONG_ACK_DEADLINE]);
    let (mut runner, mut supervisor, run) = offer_in_progress(&server);
    let mut parked = server.park(&Poll::by("parked"));
    server.signal("TERM");
    assert_eq!(parked.response(), Err(NoResponse::Closed));
    assert!(
        runner.response().expect("the run").json() == run,
        "the received message differs from the offered one"
    );
    assert!(is_warm(&supervisor.response().expect("an answer")));
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn an_offer_with_an_incomplete_body_is_answered() {
    for path in ["/warm-start", GENERAL_PATH] {
        let mut server = TestServer::start();
        let offer = post_request(path, run_message::offer(&large_run("run_1", 5_000_000)));
        let (first, rest) = offer.split_at(offer.len() / 2);
        let mut supervisor = server.connect();
        supervisor.send(first);
        let mut parked = server.park(&Poll::by("parked"));
        server.signal("TERM");
        assert_eq!(parked.response(), Err(NoResponse::Closed));
        supervisor.send(rest);
        assert!(!is_warm(&supervisor.response().expect("an answer")), "{path}");
        assert_eq!(server.wait_for_exit().code(), Some(0));
    }
}

#[test]
fn an_unfinished_request_delays_the_exit_by_the_grace_at_most() {
    let mut server = TestServer::with(&[("PILOTLIGHT_SERVER_GRACE", "1s")]);
    let mut slow_head = server.connect();
    slow_head.send("GET /health HTTP/1.1\r\nhost: loc");
    let mut slow_body = server.connect();
    slow_body.send("POST /warm-start HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n{");
    wait_until("both connections are open", || server.health()["connections"] == 3);
    let started = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait_for_exit().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(1) + SLACK, "{:?}", started.elapsed());
}

#[test]
fn a_second_signal_ends_the_service_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "TERM"), ("TERM", "INT")] {
        let mut server = TestServer::with(&[LONG_ACK_DEADLINE, ("PILOTLIGHT_SERVER_GRACE", "10m")]);
        let (_runner, mut supervisor, _) = offer_in_progress(&server);
        let mut parked = server.park(&Poll::by("parked"));
        let started = Instant::now();
        server.signal(first);
        assert_eq!(parked.response(), Err(NoResponse::Closed));
        server.signal(second);
        server.wait_for_exit();
        assert!(started.elapsed() < SLACK, "{first} {second}: {:?}", started.elapsed());
        assert_eq!(
            supervisor.response().err().map(|_| ()),
            Some(()),
            "the process has exited without an answer"
        );
    }
}

#[test]
fn a_stopping_service_accepts_no_connection() {
    let server = TestServer::with(&[LONG_ACK_DEADLINE]);
    let (mut runner, _supervisor, _) = offer_in_progress(&server);
    let mut parked = server.park(&Poll::by("parked"));
    server.signal("TERM");
    assert_eq!(parked.response(), Err(NoResponse::Closed));
    wait_until("the port is closed", || std::net::TcpStream::connect(server.address()).is_err());
    runner.response().expect("the run");
}

#[test]
fn connections_in_the_accept_queue_are_answered_at_the_shutdown() {
    let proxy = ("PILOTLIGHT_SERVER_TRUSTED_PROXIES", "127.0.0.0/8");
    for settings in [&[][..], &[proxy]] {
        let mut server = TestServer::with(settings);
        server.signal("STOP");
        let mut supervisors: Vec<_> = (0..8).map(|_| server.connect()).collect();
        for supervisor in &mut supervisors {
            supervisor.send(post_request("/warm-start", run_message::offer(&run("run_1"))));
        }
        server.signal("TERM");
        server.signal("CONT");
        for supervisor in &mut supervisors {
            assert!(!is_warm(&supervisor.response().expect("an answer")), "{settings:?}");
        }
        assert_eq!(server.wait_for_exit().code(), Some(0));
    }
}

#[test]
fn an_executing_runner_does_not_delay_the_exit() {
    for path in ["/warm-start", GENERAL_PATH] {
        let mut server = TestServer::with(&[("PILOTLIGHT_SERVER_GRACE", "10m")]);
        let mut runner = server.connect();
        runner.send(Poll::by("runner-1").request().replacen("/warm-start", path, 1));
        server.wait_for_parked(1);
        assert!(server.supervisor().offer(&run("run_1")));
        assert_eq!(runner.response().expect("the run").json(), run("run_1"));
        server.signal("TERM");
        assert_eq!(server.wait_for_exit().code(), Some(0), "{path}");
    }
}

#[test]
fn a_run_offered_before_the_shutdown_is_received_after_it() {
    let mut server = TestServer::start();
    let mut runner = server.park(&Poll::by("runner-1"));
    assert!(server.supervisor().offer(&run("run_1")));
    server.signal("TERM");
    assert_eq!(server.wait_for_exit().code(), Some(0));
    assert_eq!(runner.response().expect("the run").json(), run("run_1"));
}
