//! Any bytes on a connection, from a client that leaves in one way or another. Whatever it sent, it gets well-formed
//! answers or none, the same by either way through the product, and nothing of it is left afterwards.

use pilotlight_core::limits::HEAD_BYTES;

use super::client::{Disconnect, send_and_read};
use super::parked_runner::ParkedRunner;
use super::responses::Response;
use super::server::{Server, with_server};

/// HTTP's machinery takes some more.
const MAX_HEADERS: usize = 90;

/// Sends the bytes to the running product: once for each way to leave, once by the long way, and once while a runner
/// waits.
///
/// # Panics
/// When an answer is not well-formed, or a 5xx, or another by the long way; when the product panics; when a connection
/// is not ended within the deadline, or anything of it is left; when the runner gets anything but a run that was sent.
pub fn edge(data: &[u8]) {
    with_server(|server| {
        check_nothing_remains(server, data);
        check_fast_path_matches_hyper(server, data);
        check_parked_runner_unharmed(server, data);
    });
}

fn check_nothing_remains(server: &Server, data: &[u8]) {
    for disconnect in [Disconnect::HalfClose, Disconnect::Close, Disconnect::Reset] {
        let _well_formed = send_and_read(server, data, disconnect).responses();
        server.assert_idle();
    }
}

/// The front serves plain requests, and leaves one that asks for an upgrade to HTTP's machinery, with all that follows.
/// Nothing depends on the front for being right, so both must say the same, as far as both say anything.
fn check_fast_path_matches_hyper(server: &Server, data: &[u8]) {
    let Some(upgraded) = with_upgrade_header(data) else { return };
    let (fast, hyper) = (
        send_and_read(server, data, Disconnect::HalfClose),
        send_and_read(server, &upgraded, Disconnect::HalfClose),
    );
    for (fast, hyper) in fast.responses().into_iter().zip(hyper.responses()) {
        let (fast, hyper) = (comparable(fast), comparable(hyper));
        assert_eq!(fast, hyper, "the front says one thing, HTTP's machinery another: {fast:?}, {hyper:?}");
    }
    server.assert_idle();
}

/// `None` when there is no first line to put it after, or when one header more may be one too many.
fn with_upgrade_header(data: &[u8]) -> Option<Vec<u8>> {
    let line = data.windows(2).position(|window| window == b"\r\n")?;
    let is_request = data[..line].ends_with(b" HTTP/1.1");
    let has_room =
        data.iter().filter(|byte| **byte == b'\n').count() < MAX_HEADERS && data.len() < HEAD_BYTES / 2;
    (is_request && has_room).then(|| [&data[..line], b"\r\nupgrade: none", &data[line..]].concat())
}

/// Of answers about the present only the status is the same twice. Why HTTP's machinery refuses a head by itself depends
/// on how it was cut into pieces; of a poll's the front refuses it in a sentence.
fn comparable(response: Response<'_>) -> (u16, String) {
    let body = String::from_utf8_lossy(response.body).into_owned();
    let stable_bodies = ["{\"connectionTimeoutMs\"", "{\"didWarmStart\"", "{\"error\""];
    match response.status {
        400..500 if body.is_empty() || body.contains("the head is no HTTP head") => (400, String::new()),
        status if stable_bodies.iter().any(|start| body.starts_with(start)) => (status, body),
        status => (status, String::new()),
    }
}

fn check_parked_runner_unharmed(server: &Server, data: &[u8]) {
    let runner = ParkedRunner::park(server);
    let received = send_and_read(server, data, Disconnect::HalfClose);
    runner.finish(data, &received.responses());
    server.assert_idle();
}
