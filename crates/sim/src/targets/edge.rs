//! Any bytes on a connection, from a client that leaves in one way or another. Whatever it sent, it gets well-formed
//! answers or none, the same by either way through the product, and nothing of it is left afterwards.

use pilotlight_core::limits::HEAD_BYTES;

use super::answers::Answer;
use super::server::{Server, attack};
use super::visit::{Leave, visit};
use super::witness::Witness;

/// HTTP's machinery takes some more.
const HEADERS: usize = 90;

/// Sends the bytes to the running product: once for each way to leave, once by the long way, and once while a runner
/// waits.
///
/// # Panics
/// When an answer is not well-formed, or a 5xx, or another by the long way; when the product panics; when a connection
/// is not ended within the deadline, or anything of it is left; when the runner gets anything but a run that was sent.
pub fn edge(data: &[u8]) {
    attack(|server| {
        leaves_nothing(server, data);
        is_answered_alike_by_the_long_way(server, data);
        harms_no_runner(server, data);
    });
}

fn leaves_nothing(server: &Server, data: &[u8]) {
    for leave in [Leave::HalfClose, Leave::Close, Leave::Reset] {
        let _well_formed = visit(server, data, leave).answers();
        server.must_be_idle();
    }
}

/// The front serves plain requests, and leaves one that asks for an upgrade to HTTP's machinery, with all that follows.
/// Nothing depends on the front for being right, so both must say the same, as far as both say anything.
fn is_answered_alike_by_the_long_way(server: &Server, data: &[u8]) {
    let Some(detour) = with_an_upgrade(data) else { return };
    let (short, long) = (visit(server, data, Leave::HalfClose), visit(server, &detour, Leave::HalfClose));
    for (short, long) in short.answers().into_iter().zip(long.answers()) {
        let (short, long) = (comparable(short), comparable(long));
        assert_eq!(short, long, "the front says one thing, HTTP's machinery another: {short:?}, {long:?}");
    }
    server.must_be_idle();
}

/// `None` when there is no first line to put it after, or when one header more may be one too many.
fn with_an_upgrade(data: &[u8]) -> Option<Vec<u8>> {
    let line = data.windows(2).position(|window| window == b"\r\n")?;
    let is_request = data[..line].ends_with(b" HTTP/1.1");
    let has_room =
        data.iter().filter(|byte| **byte == b'\n').count() < HEADERS && data.len() < HEAD_BYTES / 2;
    (is_request && has_room).then(|| [&data[..line], b"\r\nupgrade: none", &data[line..]].concat())
}

/// Of answers about the present only the status is the same twice. Why HTTP's machinery refuses a head by itself depends
/// on how it was cut into pieces; of a poll's the front refuses it in a sentence.
fn comparable(answer: Answer<'_>) -> (u16, String) {
    let body = String::from_utf8_lossy(answer.body).into_owned();
    let lasts = ["{\"connectionTimeoutMs\"", "{\"didWarmStart\"", "{\"error\""];
    match answer.status {
        400..500 if body.is_empty() || body.contains("the head is no HTTP head") => (400, String::new()),
        status if lasts.iter().any(|start| body.starts_with(start)) => (status, body),
        status => (status, String::new()),
    }
}

fn harms_no_runner(server: &Server, data: &[u8]) {
    let witness = Witness::park(server);
    let heard = visit(server, data, Leave::HalfClose);
    witness.leave(data, &heard.answers());
    server.must_be_idle();
}
