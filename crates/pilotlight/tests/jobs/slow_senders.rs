//! Clients that send slowly or not at all. All cases are in one test and run at the same time, because each takes the
//! half minute that the service grants.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pilotlight_core::limits::{BODY_TIMEOUT, HEAD_TIMEOUT};
use pilotlight_testkit::http::{Connection, NoResponse, Response};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::pause;
use pilotlight_testkit::warm_start::Poll;

use super::hostile_requests::{assert_nothing_changed, paths_with_body, serve_with_claimed_job};

/// Extra time for a loaded machine.
const SLACK: Duration = Duration::from_secs(10);

/// Sends the head, then `piece` again and again until the service responds or closes the connection. Returns the
/// response and the time until then.
fn send_slowly(server: &TestServer, head: &str, piece: &str) -> (Result<Response, NoResponse>, Duration) {
    let mut caller = server.connect();
    caller.stream().set_read_timeout(Some(BODY_TIMEOUT + 2 * SLACK)).expect("an open socket");
    caller.send(head);
    let started = Instant::now();
    let mut sender: TcpStream = caller.stream().try_clone().expect("an open socket");
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            while started.elapsed() < BODY_TIMEOUT + SLACK && sender.write_all(piece.as_bytes()).is_ok() {
                // The pause makes the sender slow, which is what this test is about.
                pause(Duration::from_millis(250));
            }
        });
        let response = caller.response();
        let took = started.elapsed();
        drop(caller);
        sending.join().unwrap();
        (response, took)
    })
}

#[test]
fn slow_senders_get_408_in_time_and_idle_connections_are_closed() {
    std::thread::scope(|scope| {
        scope.spawn(warm_starts);
        scope.spawn(jobs);
    });
}

/// Every request of the jobs API that has a body.
fn jobs() {
    let (server, id) = serve_with_claimed_job();
    let headers = "host: localhost\r\nx-runner-id: r\r\ncontent-length: 9000";
    let heads =
        paths_with_body(&id).into_iter().map(|path| format!("POST {path} HTTP/1.1\r\n{headers}\r\n\r\n"));
    let (heads, service) = (heads.collect::<Vec<_>>(), &server);
    std::thread::scope(|scope| {
        let slow_requests: Vec<_> =
            heads.iter().map(|head| scope.spawn(move || send_slowly(service, head, " "))).collect();
        for slow_request in slow_requests {
            let (response, took) = slow_request.join().unwrap();
            let response = response.expect("a response with status 408");
            assert_eq!(response.status, 408);
            assert!(response.error_text().contains("not complete within"));
            assert!(took < BODY_TIMEOUT + SLACK, "{took:?}");
        }
    });
    assert_nothing_changed(&server, &id);
}

fn warm_starts() {
    let server = TestServer::start();
    let offer = "POST /warm-start HTTP/1.1\r\nhost: localhost\r\n";
    std::thread::scope(|scope| {
        let head = scope.spawn(|| send_slowly(&server, &format!("{offer}x: "), "y"));
        let poll_head = scope.spawn(|| send_slowly(&server, Poll::by("runner-1").request().trim_end(), "y"));
        let body =
            scope.spawn(|| send_slowly(&server, &format!("{offer}content-length: 100000\r\n\r\n"), " "));
        let chunked = scope.spawn(|| {
            send_slowly(&server, &format!("{offer}transfer-encoding: chunked\r\n\r\n"), "1\r\n \r\n")
        });
        let idle = scope.spawn(|| assert_closed_when_idle(server.connect()));

        for head in [head, poll_head] {
            let (response, took) = head.join().unwrap();
            assert!(matches!(response, Err(NoResponse::Closed | NoResponse::Reset)), "{response:?}");
            assert!(took < HEAD_TIMEOUT + SLACK, "{took:?}");
        }
        for body in [body, chunked] {
            let (response, took) = body.join().unwrap();
            let response = response.expect("a response with status 408");
            assert_eq!((response.status, response.json()["didWarmStart"].clone()), (408, false.into()));
            assert!(!response.error_text().is_empty());
            assert!(took < BODY_TIMEOUT + SLACK, "{took:?}");
        }
        idle.join().unwrap();
    });
    server.assert_healthy();
}

fn assert_closed_when_idle(mut caller: Connection) {
    caller.stream().set_read_timeout(Some(HEAD_TIMEOUT + SLACK)).expect("an open socket");
    assert_eq!(caller.get("/health").status, 200);
    assert_eq!(caller.response(), Err(NoResponse::Closed));
}
