//! Target: any bytes on a connection, from a client that leaves in different ways. Whatever the client sends, it gets
//! well-formed responses or none, the same ones from the fast path and from the full HTTP stack, and nothing of the
//! connection remains open.

use pilotlight_core::limits::HEAD_BYTES;

use super::answers::Answer;
use super::client::{Leave, exchange};
use super::server::{Server, with_server};
use super::waiting_runner::WaitingRunner;

/// Maximum number of headers of a request that is sent to both paths. The full HTTP stack allows a few more.
const HEADERS: usize = 90;

/// Sends the bytes to the running product: once for each way to leave, once through the full HTTP stack, and once while
/// a runner has a parked poll.
///
/// # Panics
/// When a response is not well-formed, or is a 5xx, or differs between the two paths; when the product panics; when a
/// connection is not closed within the deadline, or something of it remains; when the runner gets anything except a run
/// that was sent.
pub fn edge(data: &[u8]) {
    with_server(|server| {
        leaves_nothing(server, data);
        is_answered_alike_by_both_paths(server, data);
        harms_no_runner(server, data);
    });
}

fn leaves_nothing(server: &Server, data: &[u8]) {
    for leave in [Leave::HalfClose, Leave::Close, Leave::Reset] {
        let _well_formed = exchange(server, data, leave).answers();
        server.must_be_idle();
    }
}

/// The fast path serves plain requests. It passes a request for an upgrade, and everything after it, to the full HTTP
/// stack. The fast path must not change any behaviour, so both responses must be equal, as far as both paths respond.
fn is_answered_alike_by_both_paths(server: &Server, data: &[u8]) {
    let Some(detour) = with_an_upgrade(data) else { return };
    let (fast, full) =
        (exchange(server, data, Leave::HalfClose), exchange(server, &detour, Leave::HalfClose));
    for (fast, full) in fast.answers().into_iter().zip(full.answers()) {
        let (fast, full) = (comparable(fast), comparable(full));
        assert_eq!(
            fast, full,
            "the fast path and the full HTTP stack respond differently: {fast:?}, {full:?}"
        );
    }
    server.must_be_idle();
}

/// Adds an upgrade header. `None` when there is no first line to insert it after, or when one more header may exceed
/// the limit.
fn with_an_upgrade(data: &[u8]) -> Option<Vec<u8>> {
    let line = data.windows(2).position(|window| window == b"\r\n")?;
    let is_request = data[..line].ends_with(b" HTTP/1.1");
    let has_space =
        data.iter().filter(|byte| **byte == b'\n').count() < HEADERS && data.len() < HEAD_BYTES / 2;
    (is_request && has_space).then(|| [&data[..line], b"\r\nupgrade: none", &data[line..]].concat())
}

/// The comparable part of a response. Responses about the current state are compared by status only. For which reason
/// the HTTP stack refuses a head depends on how its bytes were split into reads, and the fast path refuses a poll's
/// head with an error text, so such refusals are compared as 400 only.
fn comparable(answer: Answer<'_>) -> (u16, String) {
    let body = String::from_utf8_lossy(answer.body).into_owned();
    let lasts = ["{\"connectionTimeoutMs\"", "{\"didWarmStart\"", "{\"error\""];
    match answer.status {
        400..500 if body.is_empty() || body.contains("the request head is not valid HTTP") => {
            (400, String::new())
        }
        status if lasts.iter().any(|start| body.starts_with(start)) => (status, body),
        status => (status, String::new()),
    }
}

fn harms_no_runner(server: &Server, data: &[u8]) {
    let runner = WaitingRunner::park(server);
    let received = exchange(server, data, Leave::HalfClose);
    runner.leave(data, &received.answers());
    server.must_be_idle();
}
