//! One visit of a client: it sends its bytes, listens or not, and leaves in its way.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::responses::{self, ConnectionEnd, Response};
use super::server::{DEADLINE, Server};

/// How a client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnect {
    /// It says that nothing more comes, and reads to the end.
    HalfClose,
    /// It listens for a while, and closes.
    Close,
    /// It resets the connection at once.
    Reset,
}

/// How long a client that will close listens: long enough for an answer, mostly.
const READ_TIME: Duration = Duration::from_millis(2);

/// What a client heard.
#[derive(Debug)]
pub struct Received {
    bytes: Vec<u8>,
    /// How the connection ended.
    pub end: ConnectionEnd,
}

impl Received {
    /// The answers that it heard whole.
    ///
    /// # Panics
    /// When it heard anything else, or a 5xx.
    #[must_use]
    pub fn responses(&self) -> Vec<Response<'_>> {
        responses::read(&self.bytes, self.end)
    }
}

/// Pays a visit.
///
/// # Panics
/// When the connection of a client that sends no more is not ended within the deadline.
#[must_use]
pub fn send_and_read(server: &Server, data: &[u8], disconnect: Disconnect) -> Received {
    let mut stream = server.connect().expect("the product accepts connections");
    // A product that has seen enough closes while we still write.
    let _closed_early = stream.write_all(data);
    match disconnect {
        Disconnect::HalfClose => read_to_end(stream),
        Disconnect::Close => {
            let (bytes, end) = read_for(&mut stream, READ_TIME);
            Received { bytes, end: end.unwrap_or(ConnectionEnd::Early) }
        }
        Disconnect::Reset => {
            let _gone_already = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            Received { bytes: Vec::new(), end: ConnectionEnd::Early }
        }
    }
}

/// Says that nothing more comes, and listens to the end.
///
/// # Panics
/// When the end does not come within the deadline.
#[must_use]
pub fn read_to_end(mut stream: TcpStream) -> Received {
    let _gone_already = stream.shutdown(Shutdown::Write);
    let (bytes, end) = read_for(&mut stream, DEADLINE);
    let end = end.expect("a connection whose client sends no more is ended within the deadline");
    Received { bytes, end }
}

/// All that comes until the connection ends, and how it ended; `None` when it did not within that time.
fn read_for(stream: &mut TcpStream, timeout: Duration) -> (Vec<u8>, Option<ConnectionEnd>) {
    let until = Instant::now() + timeout;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return (received, None);
        }
        match stream.read(&mut buffer) {
            Ok(0) => return (received, Some(ConnectionEnd::Close)),
            Ok(read) => received.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return (received, None),
            Err(_) => return (received, Some(ConnectionEnd::Early)),
        }
    }
}
