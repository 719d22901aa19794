//! A client that sends bytes, reads or does not read, and leaves in one of several ways.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::answers::{self, Answer, End};
use super::server::{DEADLINE, Server};

/// How the client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It closes its sending side, and reads until the end.
    HalfClose,
    /// It reads for a while, and closes the connection.
    Close,
    /// It resets the connection at once.
    Reset,
}

/// How long a client that closes the connection reads: mostly long enough for a response.
const READ_TIME: Duration = Duration::from_millis(2);

/// What a client received.
#[derive(Debug)]
pub struct Received {
    bytes: Vec<u8>,
    /// How the connection ended.
    pub end: End,
}

impl Received {
    /// The complete responses.
    ///
    /// # Panics
    /// When the bytes are not responses, or one is a 5xx.
    #[must_use]
    pub fn answers(&self) -> Vec<Answer<'_>> {
        answers::read(&self.bytes, self.end)
    }
}

/// Connects, sends the bytes and leaves.
///
/// # Panics
/// When the server does not close the connection of a client that sends no more within the deadline.
#[must_use]
pub fn exchange(server: &Server, data: &[u8], leave: Leave) -> Received {
    let mut stream = server.connect().expect("the product accepts connections");
    // The server may close the connection while the client still writes.
    let _closed_early = stream.write_all(data);
    match leave {
        Leave::HalfClose => read_to_end(stream),
        Leave::Close => {
            let (bytes, end) = read_until(&mut stream, READ_TIME);
            Received { bytes, end: end.unwrap_or(End::Early) }
        }
        Leave::Reset => {
            let _gone_already = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            Received { bytes: Vec::new(), end: End::Early }
        }
    }
}

/// Closes the sending side, and reads until the end.
///
/// # Panics
/// When the server does not close the connection within the deadline.
#[must_use]
pub fn read_to_end(mut stream: TcpStream) -> Received {
    let _gone_already = stream.shutdown(Shutdown::Write);
    let (bytes, end) = read_until(&mut stream, DEADLINE);
    let end = end.expect("a connection whose client sends no more is ended within the deadline");
    Received { bytes, end }
}

/// Reads until the connection ends. Returns the bytes and how it ended; `None` when it did not end within the time.
fn read_until(stream: &mut TcpStream, at_most: Duration) -> (Vec<u8>, Option<End>) {
    let until = Instant::now() + at_most;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return (received, None);
        }
        match stream.read(&mut buffer) {
            Ok(0) => return (received, Some(End::Close)),
            Ok(read) => received.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return (received, None),
            Err(_) => return (received, Some(End::Early)),
        }
    }
}
