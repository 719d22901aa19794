//! A run that the runner's kernel acknowledged and the runner's program never read: the supervisor was told warm,
//! and soon everybody can see that it was not.

use std::time::Duration;

use pilotlight_testkit::http::Connection;
use pilotlight_testkit::run_message::run;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use pilotlight_testkit::warm_start::Poll;

/// The bound.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// Parks, offers, and leaves the whole run in the runner's kernel.
fn with_a_run_in_the_kernel(server: &TestServer, poll: &Poll, run_id: &str) -> Connection {
    let runner = server.park(poll);
    assert!(server.supervisor().offer(&run(run_id)));
    runner.wait_until_readable();
    runner
}

fn is_told_unread_soon(server: &TestServer, run_id: &str) {
    let took = wait_until("the run is told unread", || server.unread_runs() == [run_id]);
    assert!(took < TOLD_WITHIN, "told after {took:?}");
    assert_eq!(server.metric("pilotlight_unread_total"), 1.0);
    assert_eq!(server.offers()[0]["success"], false);
    let executing = server.dashboard("")["executingRunners"].to_string();
    assert!(!executing.contains(run_id), "{executing}");
}

#[test]
fn a_run_whose_connection_is_closed_unread_is_reported_unread() {
    let server = TestServer::start();
    drop(with_a_run_in_the_kernel(&server, &Poll::by("runner-1"), "run_unread"));
    is_told_unread_soon(&server, "run_unread");
}

#[test]
fn a_run_whose_connection_is_closed_unread_is_reported_unread_after_connection_close() {
    let server = TestServer::start();
    let poll = Poll::by("runner-1").with_header("connection: close");
    drop(with_a_run_in_the_kernel(&server, &poll, "run_unread"));
    is_told_unread_soon(&server, "run_unread");
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
    is_told_unread_soon(&server, "run_unread");
}

#[test]
fn a_run_whose_connection_is_closed_half_read_is_reported_unread() {
    let server = TestServer::start();
    let runner = with_a_run_in_the_kernel(&server, &Poll::by("runner-1"), "run_unread");
    std::io::Read::read_exact(&mut runner.stream(), &mut [0; 200]).expect("a run is longer");
    drop(runner);
    is_told_unread_soon(&server, "run_unread");
}

#[test]
fn many_runs_closed_unread_are_all_told_unread() {
    let server = TestServer::start();
    for connection in ["connection: keep-alive", "connection: close"] {
        for number in 0..50 {
            let poll = Poll::by(&format!("runner-{number}")).with_header(connection);
            drop(with_a_run_in_the_kernel(&server, &poll, &format!("run_{number}")));
        }
    }
    wait_until("all are told unread", || server.unread_runs().len() == 100);
    assert_eq!(server.metric("pilotlight_unread_total"), 100.0);
}

#[test]
fn a_run_that_was_read_is_not_unread_when_the_runner_closes_in_good_order() {
    let server = TestServer::start();
    for (number, connection) in ["connection: keep-alive", "connection: close"].into_iter().enumerate() {
        let poll = Poll::by(&format!("runner-{number}")).with_header(connection);
        let mut runner = with_a_run_in_the_kernel(&server, &poll, "run_read");
        assert_eq!(runner.response().expect("the run").json(), run("run_read"));
        drop(runner);
    }
    // Whatever the first two leave behind is decided by the time that a third is.
    drop(with_a_run_in_the_kernel(
        &server,
        &Poll::by("runner-3").with_header("connection: close"),
        "run_unread",
    ));
    is_told_unread_soon(&server, "run_unread");
}

#[test]
fn a_run_that_was_read_is_not_unread_when_the_runner_polls_again_and_is_reset_then() {
    let server = TestServer::start();
    let poll = Poll::by("runner-1");
    let mut runner = with_a_run_in_the_kernel(&server, &poll, "run_read");
    runner.response().expect("the run");
    runner.send(poll.request());
    server.wait_for_parked(1);
    socket2::SockRef::from(runner.stream()).set_linger(Some(Duration::ZERO)).expect("an open socket");
    drop(runner);
    server.wait_for_parked(0);
    assert_eq!(server.metric("pilotlight_unread_total"), 0.0);
    assert_eq!(server.offers()[0]["delivery"], "acknowledged");
}
