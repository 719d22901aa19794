//! A run that the runner's kernel acknowledged, but the runner's program never read: the supervisor got a warm answer,
//! and soon after the service reports the run as unread.

use std::time::Duration;

use pilotlight_testkit::http::Connection;
use pilotlight_testkit::run_message::run;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use pilotlight_testkit::warm_start::Poll;

/// The required maximum time until a run is reported unread.
const MAX_REPORT_TIME: Duration = Duration::from_secs(2);

/// Parks a poll and offers a run, which the runner's kernel receives and the runner does not read.
fn runner_with_unread_run(server: &TestServer, poll: &Poll, run_id: &str) -> Connection {
    let runner = server.park(poll);
    assert!(server.supervisor().offer(&run(run_id)));
    runner.wait_until_readable();
    runner
}

fn assert_reported_unread(server: &TestServer, run_id: &str) {
    let took = wait_until("the run is reported unread", || server.unread_runs() == [run_id]);
    assert!(took < MAX_REPORT_TIME, "reported after {took:?}");
    assert_eq!(server.metric("pilotlight_unread_total"), 1.0);
    assert_eq!(server.offers()[0]["success"], false);
    let executing = server.dashboard("")["executingRunners"].to_string();
    assert!(!executing.contains(run_id), "{executing}");
}

#[test]
fn a_run_whose_connection_is_closed_unread_is_reported_unread() {
    let server = TestServer::start();
    drop(runner_with_unread_run(&server, &Poll::by("runner-1"), "run_unread"));
    assert_reported_unread(&server, "run_unread");
}

#[test]
fn a_run_whose_connection_is_closed_unread_is_reported_unread_after_connection_close() {
    let server = TestServer::start();
    let poll = Poll::by("runner-1").with_header("connection: close");
    drop(runner_with_unread_run(&server, &poll, "run_unread"));
    assert_reported_unread(&server, "run_unread");
}

#[test]
fn a_run_whose_connection_is_closed_unread_is_reported_unread_over_http_1_0() {
    let server = TestServer::start();
    let mut runner = server.connect();
    runner.send(Poll::by("runner-1").request().replace("HTTP/1.1", "HTTP/1.0"));
    server.wait_for_parked(1);
    assert!(server.supervisor().offer(&run("run_unread")));
    runner.wait_until_readable();
    drop(runner);
    assert_reported_unread(&server, "run_unread");
}

#[test]
fn a_run_whose_connection_is_closed_half_read_is_reported_unread() {
    let server = TestServer::start();
    let runner = runner_with_unread_run(&server, &Poll::by("runner-1"), "run_unread");
    std::io::Read::read_exact(&mut runner.stream(), &mut [0; 200]).expect("a run is longer");
    drop(runner);
    assert_reported_unread(&server, "run_unread");
}

#[test]
fn many_runs_closed_unread_are_all_reported_unread() {
    let server = TestServer::start();
    for connection in ["connection: keep-alive", "connection: close"] {
        for number in 0..50 {
            let poll = Poll::by(&format!("runner-{number}")).with_header(connection);
            drop(runner_with_unread_run(&server, &poll, &format!("run_{number}")));
        }
    }
    wait_until("all runs are reported unread", || server.unread_runs().len() == 100);
    assert_eq!(server.metric("pilotlight_unread_total"), 100.0);
}

#[test]
fn a_run_that_was_read_is_not_unread_when_the_runner_closes_cleanly() {
    let server = TestServer::start();
    for (number, connection) in ["connection: keep-alive", "connection: close"].into_iter().enumerate() {
        let poll = Poll::by(&format!("runner-{number}")).with_header(connection);
        let mut runner = runner_with_unread_run(&server, &poll, "run_read");
        assert_eq!(runner.response().expect("the run").json(), run("run_read"));
        drop(runner);
    }
    // When the third run is reported unread, the outcomes of the first two are also known.
    drop(runner_with_unread_run(
        &server,
        &Poll::by("runner-3").with_header("connection: close"),
        "run_unread",
    ));
    assert_reported_unread(&server, "run_unread");
}

#[test]
fn a_run_that_was_read_is_not_unread_when_a_later_poll_is_reset() {
    let server = TestServer::start();
    let poll = Poll::by("runner-1");
    let mut runner = runner_with_unread_run(&server, &poll, "run_read");
    runner.response().expect("the run");
    runner.send(poll.request());
    server.wait_for_parked(1);
    socket2::SockRef::from(runner.stream()).set_linger(Some(Duration::ZERO)).expect("an open socket");
    drop(runner);
    server.wait_for_parked(0);
    assert_eq!(server.metric("pilotlight_unread_total"), 0.0);
    assert_eq!(server.offers()[0]["delivery"], "acknowledged");
}
