//! A correct runner with a parked poll, while another client sends any bytes. The runner must get a run that these
//! bytes contain, byte for byte, or nothing. When the runner gets nothing, no supervisor may get a warm response.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::answers::{Answer, End};
use super::client::read_to_end;
use super::json;
use super::server::{DEADLINE, Server};

/// A poll for the runs in the corpus.
const POLL: &[u8] = b"GET /warm-start HTTP/1.1\r\nhost: localhost\r\nx-trigger-deployment-id: dep\r\n\
    x-trigger-deployment-version: 1\r\nx-trigger-workload-controller-id: witness\r\n\
    x-trigger-machine-cpu: 1.0\r\nx-trigger-machine-memory: 2\r\n\r\n";

const WARM: &[u8] = br#"{"didWarmStart":true}"#;

/// A runner with a parked poll.
#[derive(Debug)]
pub struct WaitingRunner {
    stream: TcpStream,
}

impl WaitingRunner {
    /// Parks the poll. It may be rejected at once, when earlier bytes retired the runner.
    ///
    /// # Panics
    /// When the poll is neither parked nor answered within the deadline.
    #[must_use]
    pub fn park(server: &Server) -> Self {
        let mut stream = server.connect().expect("the product accepts connections");
        stream.write_all(POLL).expect("the product reads a poll");
        let deadline = Instant::now() + DEADLINE;
        while server.polls() == 0 && !is_answered(&stream) {
            assert!(Instant::now() < deadline, "a poll is not parked within {DEADLINE:?}");
        }
        Self { stream }
    }

    /// Closes the poll, and compares what the runner received with the sent bytes and with the sender's responses.
    ///
    /// # Panics
    /// When the runner received other bytes, or when a supervisor got a warm response without a run.
    pub fn leave(self, sent: &[u8], responses: &[Answer<'_>]) {
        let received = read_to_end(self.stream);
        let answers = received.answers();
        assert!(
            received.end == End::Close && answers.len() <= 1,
            "a runner got several responses or a reset: {received:?}"
        );
        let run = answers.iter().find(|answer| answer.status == 200).map(|answer| answer.body);
        if let Some(run) = run {
            let is_unchunked = !contains(&sent.to_ascii_lowercase(), b"chunked");
            assert!(json::read(run) != Err(json::ParseError::NotJson), "a runner got a run that is not JSON");
            assert!(contains(sent, run) || !is_unchunked, "a runner got other bytes than were sent");
        }
        let warm = responses.iter().filter(|answer| answer.body == WARM).count();
        assert!(warm <= usize::from(run.is_some()), "{warm} warm responses, but the runner got {run:?}");
    }
}

fn is_answered(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket can be made non-blocking");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("a socket can be made blocking");
    !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}
