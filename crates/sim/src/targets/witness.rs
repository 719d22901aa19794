//! A runner that waits, in good order, while any bytes come from somebody else. Whatever those are, it gets a run that
//! they hold, byte for byte, or nothing; and nobody is told that it got one when it did not.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::answers::{Answer, End};
use super::json;
use super::server::{DEADLINE, Server};
use super::visit::hear_to_the_end;

/// It waits for the runs that the corpus offers.
const POLL: &[u8] = b"GET /warm-start HTTP/1.1\r\nhost: localhost\r\nx-trigger-deployment-id: dep\r\n\
    x-trigger-deployment-version: 1\r\nx-trigger-workload-controller-id: witness\r\n\
    x-trigger-machine-cpu: 1.0\r\nx-trigger-machine-memory: 2\r\n\r\n";

const WARM: &[u8] = br#"{"didWarmStart":true}"#;

/// A runner that waits.
#[derive(Debug)]
pub struct Witness {
    stream: TcpStream,
}

impl Witness {
    /// Lets it wait; it may be turned away at once, when the bytes of before retired it.
    ///
    /// # Panics
    /// When it is neither parked nor answered within the deadline.
    #[must_use]
    pub fn park(server: &Server) -> Self {
        let mut stream = server.connect().expect("the product accepts connections");
        stream.write_all(POLL).expect("the product reads a poll");
        let until = Instant::now() + DEADLINE;
        while server.polls() == 0 && !is_answered(&stream) {
            assert!(Instant::now() < until, "a poll is not parked within {DEADLINE:?}");
        }
        Self { stream }
    }

    /// Asks no longer, and holds what it got against what was sent, and against what the sender was told.
    ///
    /// # Panics
    /// When it got something else, or not what the sender was told.
    pub fn leave(self, sent: &[u8], told: &[Answer<'_>]) {
        let heard = hear_to_the_end(self.stream);
        let answers = heard.answers();
        assert!(heard.end == End::Close && answers.len() <= 1, "a runner was ill-treated: {heard:?}");
        let run = answers.iter().find(|answer| answer.status == 200).map(|answer| answer.body);
        if let Some(run) = run {
            let in_one_piece = !holds(&sent.to_ascii_lowercase(), b"chunked");
            assert!(json::read(run) != Err(json::Not::Json), "a runner got what is no JSON");
            assert!(holds(sent, run) || !in_one_piece, "a runner got other bytes than were sent");
        }
        let warm = told.iter().filter(|answer| answer.body == WARM).count();
        assert!(warm <= usize::from(run.is_some()), "{warm} times warm, but the runner got {run:?}");
    }
}

fn is_answered(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket can be asked not to wait");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("a socket can be asked to wait");
    !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}
