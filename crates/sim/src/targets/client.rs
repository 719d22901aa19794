//! A client that sends bytes, reads responses, and disconnects in one of several ways.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::answers::{self, Answer, End};
use super::server::{DEADLINE, Server};

/// How the client disconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnect {
    /// It closes its sending side, and reads until the end.
    HalfClose,
    /// It reads for a while, and closes the connection.
    Close,
    /// It resets the connection at once.
    Reset,
}

/// How long a client with [`Disconnect::Close`] reads: usually long enough for a response.
const READ_TIME: Duration = Duration::from_millis(2);

/// The bytes that a client received.
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

/// Connects, sends the bytes and disconnects.
///
/// # Panics
/// When the server does not close the connection of a client that sends no more within the deadline.
#[must_use]
pub fn exchange(server: &Server, data: &[u8], disconnect: Disconnect) -> Received {
    let mut stream = server.connect().expect("the product accepts connections");
    // The server may close the connection while the client still writes.
    let _closed_early = stream.write_all(data);
    match disconnect {
        Disconnect::HalfClose => read_to_end(stream),
        Disconnect::Close => {
            let (bytes, end) = read_until(&mut stream, READ_TIME);
            Received { bytes, end: end.unwrap_or(End::Early) }
        }
        Disconnect::Reset => {
            let _already_closed = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
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
    let _already_closed = stream.shutdown(Shutdown::Write);
    let (bytes, end) = read_until(&mut stream, DEADLINE);
    let end =
        end.expect("the server closes the connection within the deadline, because the client sends no more");
    Received { bytes, end }
}

/// Reads until the connection ends. Returns the bytes and how it ended; `None` when it did not end within the time.
fn read_until(stream: &mut TcpStream, at_most: Duration) -> (Vec<u8>, Option<End>) {
    let deadline = Instant::now() + at_most;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let time_left = deadline.saturating_duration_since(Instant::now());
        if time_left.is_zero() || stream.set_read_timeout(Some(time_left)).is_err() {
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
