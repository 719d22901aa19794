//! Callers that take their time. One test, because each of them takes the half minute that the service grants.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use pilotlight_core::limits::{BODY_TIMEOUT, HEAD_TIMEOUT};
use pilotlight_testkit::http::{Connection, NoResponse, Response};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::pause;
use pilotlight_testkit::warm_start::Poll;

use super::hostile_requests::{is_well, paths, stage};

/// For a loaded machine.
const SLACK: Duration = Duration::from_secs(10);

/// Sends the head, then byte after byte until it is told off; returns how that was and how long it took.
fn trickle(server: &TestServer, head: &str, byte: &str) -> (Result<Response, NoResponse>, Duration) {
    let mut caller = server.connect();
    caller.stream().set_read_timeout(Some(BODY_TIMEOUT + 2 * SLACK)).expect("an open socket");
    caller.send(head);
    let started = Instant::now();
    let mut sender: TcpStream = caller.stream().try_clone().expect("an open socket");
    std::thread::scope(|scope| {
        let trickling = scope.spawn(move || {
            while started.elapsed() < BODY_TIMEOUT + SLACK && sender.write_all(byte.as_bytes()).is_ok() {
                // The subject: a slow sender.
                pause(Duration::from_millis(250));
            }
        });
        let answer = caller.response();
        let took = started.elapsed();
        drop(caller);
        trickling.join().unwrap();
        (answer, took)
    })
}

#[test]
fn slow_senders_get_408_in_time_and_idle_connections_are_closed() {
    std::thread::scope(|scope| {
        scope.spawn(warm_starts);
        scope.spawn(jobs);
    });
}

/// Every request about jobs that has a body.
fn jobs() {
    let (server, id) = stage();
    let lines = "host: localhost\r\nx-runner-id: r\r\ncontent-length: 9000";
    let heads = paths(&id).into_iter().map(|path| format!("POST {path} HTTP/1.1\r\n{lines}\r\n\r\n"));
    let (heads, service) = (heads.collect::<Vec<_>>(), &server);
    std::thread::scope(|scope| {
        let slow: Vec<_> =
            heads.iter().map(|head| scope.spawn(move || trickle(service, head, " "))).collect();
        for slow in slow {
            let (answer, took) = slow.join().unwrap();
            let answer = answer.expect("a refusal");
            assert_eq!(answer.status, 408);
            assert!(answer.error_text().contains("not complete within"));
            assert!(took < BODY_TIMEOUT + SLACK, "{took:?}");
        }
    });
    is_well(&server, &id);
}

fn warm_starts() {
    let server = TestServer::start();
    let offer = "POST /warm-start HTTP/1.1\r\nhost: localhost\r\n";
    std::thread::scope(|scope| {
        let head = scope.spawn(|| trickle(&server, &format!("{offer}x: "), "y"));
        let poll_head = scope.spawn(|| trickle(&server, Poll::by("runner-1").request().trim_end(), "y"));
        let body = scope.spawn(|| trickle(&server, &format!("{offer}content-length: 100000\r\n\r\n"), " "));
        let chunked = scope
            .spawn(|| trickle(&server, &format!("{offer}transfer-encoding: chunked\r\n\r\n"), "1\r\n \r\n"));
        let idle = scope.spawn(|| is_closed_when_idle(server.connect()));

        for head in [head, poll_head] {
            let (answer, took) = head.join().unwrap();
            assert!(matches!(answer, Err(NoResponse::Closed | NoResponse::Reset)), "{answer:?}");
            assert!(took < HEAD_TIMEOUT + SLACK, "{took:?}");
        }
        for body in [body, chunked] {
            let (answer, took) = body.join().unwrap();
            let answer = answer.expect("a refusal");
            assert_eq!((answer.status, answer.json()["didWarmStart"].clone()), (408, false.into()));
            assert!(!answer.error_text().is_empty());
            assert!(took < BODY_TIMEOUT + SLACK, "{took:?}");
        }
        idle.join().unwrap();
    });
    server.assert_healthy();
}

fn is_closed_when_idle(mut caller: Connection) {
    caller.stream().set_read_timeout(Some(HEAD_TIMEOUT + SLACK)).expect("an open socket");
    assert_eq!(caller.get("/health").status, 200);
    assert_eq!(caller.response(), Err(NoResponse::Closed));
}
