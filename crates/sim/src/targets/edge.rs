//! Target: any bytes on a connection, from a client that disconnects in different ways. For any bytes, the client gets
//! well-formed responses or none, the fast path and the full HTTP stack give equal responses, and the connection does
//! not remain open.

use pilotlight_core::limits::HEAD_BYTES;

use super::answers::Answer;
use super::client::{Disconnect, exchange};
use super::server::{Server, with_server};
use super::waiting_runner::WaitingRunner;

/// Maximum number of headers of a request that is sent to both paths. The full HTTP stack allows a few more.
const HEADERS: usize = 90;

/// Sends the bytes to the running product: once for each kind of [`Disconnect`], once through the full HTTP stack, and
/// once while a runner has a parked poll.
///
/// # Panics
/// When a response is not well-formed, or is a 5xx, or differs between the two paths; when the product panics; when a
/// connection is not closed within the deadline, or something of it remains; when the runner gets anything except a run
/// that was sent.
pub fn edge(data: &[u8]) {
    with_server(|server| {
        leaves_nothing_open(server, data);
        both_paths_respond_equally(server, data);
        waiting_runner_is_not_affected(server, data);
    });
}

fn leaves_nothing_open(server: &Server, data: &[u8]) {
    for disconnect in [Disconnect::HalfClose, Disconnect::Close, Disconnect::Reset] {
        let _well_formed = exchange(server, data, disconnect).answers();
        server.must_be_idle();
    }
}

/// The fast path serves plain requests. It passes a request for an upgrade, and all later requests of the connection,
/// to the full HTTP stack. Both must give equal responses. When one path gives fewer responses, the others are not
/// compared.
fn both_paths_respond_equally(server: &Server, data: &[u8]) {
    let Some(with_upgrade) = with_upgrade_header(data) else { return };
    let (fast, full) = (
        exchange(server, data, Disconnect::HalfClose),
        exchange(server, &with_upgrade, Disconnect::HalfClose),
    );
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
fn with_upgrade_header(data: &[u8]) -> Option<Vec<u8>> {
    let line = data.windows(2).position(|window| window == b"\r\n")?;
    let is_request = data[..line].ends_with(b" HTTP/1.1");
    let has_space =
        data.iter().filter(|byte| **byte == b'\n').count() < HEADERS && data.len() < HEAD_BYTES / 2;
    (is_request && has_space).then(|| [&data[..line], b"\r\nupgrade: none", &data[line..]].concat())
}

/// The comparable part of a response. Responses about the current state are compared by status only. The status with
/// which the HTTP stack rejects a head depends on how its bytes were split into reads, and the fast path rejects a
/// poll's head with an error text. Therefore all rejected heads are compared as a 400 without a body.
fn comparable(answer: Answer<'_>) -> (u16, String) {
    let body = String::from_utf8_lossy(answer.body).into_owned();
    let constant_bodies = ["{\"connectionTimeoutMs\"", "{\"didWarmStart\"", "{\"error\""];
    match answer.status {
        400..500 if body.is_empty() || body.contains("the request head is not valid HTTP") => {
            (400, String::new())
        }
        status if constant_bodies.iter().any(|start| body.starts_with(start)) => (status, body),
        status => (status, String::new()),
    }
}

fn waiting_runner_is_not_affected(server: &Server, data: &[u8]) {
    let runner = WaitingRunner::park(server);
    let received = exchange(server, data, Disconnect::HalfClose);
    runner.leave(data, &received.answers());
    server.must_be_idle();
}
