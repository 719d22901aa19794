//! One visit of a client: it sends its bytes, listens or not, and leaves in its way.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::answers::{self, Answer, End};
use super::server::{DEADLINE, Server};

/// How a client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// It says that nothing more comes, and reads to the end.
    HalfClose,
    /// It listens for a while, and closes.
    Close,
    /// It resets the connection at once.
    Reset,
}

/// How long a client that will close listens: long enough for an answer, mostly.
const LISTENS: Duration = Duration::from_millis(2);

/// What a client heard.
#[derive(Debug)]
pub struct Heard {
    bytes: Vec<u8>,
    /// How the connection ended.
    pub end: End,
}

impl Heard {
    /// The answers that it heard whole.
    ///
    /// # Panics
    /// When it heard anything else, or a 5xx.
    #[must_use]
    pub fn answers(&self) -> Vec<Answer<'_>> {
        answers::read(&self.bytes, self.end)
    }
}

/// Pays a visit.
///
/// # Panics
/// When the connection of a client that sends no more is not ended within the deadline.
#[must_use]
pub fn visit(server: &Server, data: &[u8], leave: Leave) -> Heard {
    let mut stream = server.connect().expect("the product accepts connections");
    // A product that has seen enough closes while we still write.
    let _closed_early = stream.write_all(data);
    match leave {
        Leave::HalfClose => hear_to_the_end(stream),
        Leave::Close => {
            let (bytes, end) = listen(&mut stream, LISTENS);
            Heard { bytes, end: end.unwrap_or(End::Early) }
        }
        Leave::Reset => {
            let _gone_already = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            Heard { bytes: Vec::new(), end: End::Early }
        }
    }
}

/// Says that nothing more comes, and listens to the end.
///
/// # Panics
/// When the end does not come within the deadline.
#[must_use]
pub fn hear_to_the_end(mut stream: TcpStream) -> Heard {
    let _gone_already = stream.shutdown(Shutdown::Write);
    let (bytes, end) = listen(&mut stream, DEADLINE);
    let end = end.expect("a connection whose client sends no more is ended within the deadline");
    Heard { bytes, end }
}

/// All that comes until the connection ends, and how it ended; `None` when it did not within that time.
fn listen(stream: &mut TcpStream, at_most: Duration) -> (Vec<u8>, Option<End>) {
    let until = Instant::now() + at_most;
    let mut heard = Vec::new();
    let mut random_range = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return (heard, None);
        }
        match stream.read(&mut random_range) {
            Ok(0) => return (heard, Some(End::Close)),
            Ok(read) => heard.extend_from_slice(&random_range[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return (heard, None),
            Err(_) => return (heard, Some(End::Early)),
        }
    }
}
