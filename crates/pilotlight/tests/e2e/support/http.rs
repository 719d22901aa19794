//! A tiny HTTP/1.1 client on a raw socket. It shows what ordinary clients hide: a connection that closed without a
//! byte, a reset, an answer that broke off.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::wait::DEADLINE;

/// A connection and what was read of it beyond the last answer.
pub(crate) struct Connection {
    stream: TcpStream,
    ahead: Vec<u8>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// There is no answer.
#[derive(PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The connection was closed in good order, without a byte.
    Closed,
    /// The connection was reset, without a byte.
    Reset,
    /// It ended after these bytes, which are no whole answer.
    BrokeOff(Vec<u8>),
    /// Nothing happened until the deadline.
    Silence,
}

/// Megabytes that broke off are not worth reading.
impl fmt::Debug for NoAnswer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => out.write_str("Closed"),
            Self::Reset => out.write_str("Reset"),
            Self::Silence => out.write_str("Silence"),
            Self::BrokeOff(bytes) => {
                let start = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
                write!(out, "BrokeOff({} bytes: {start:?}...)", bytes.len())
            }
        }
    }
}

impl Connection {
    pub(crate) fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to);
        Self::on(stream.unwrap_or_else(|error| panic!("failed to connect to {to}: {error}")))
    }

    /// The same where the way may be cut.
    pub(crate) fn try_open(to: SocketAddr, within: Duration) -> Option<Self> {
        TcpStream::connect_timeout(&to, within).ok().map(Self::on)
    }

    fn on(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an open socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("an open socket");
        stream.set_write_timeout(Some(DEADLINE)).expect("an open socket");
        Self { stream, ahead: Vec::new() }
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("failed to send: {error}"));
    }

    /// Sends bytes to somebody who may have closed already.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends a request without a body and reads its answer.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        self.answer().unwrap_or_else(|none| panic!("no answer to GET {path}: {none:?}"))
    }

    /// Sends a request with a body and reads its answer.
    pub(crate) fn post(&mut self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send(post(path, body));
        self.answer().unwrap_or_else(|none| panic!("no answer to POST {path}: {none:?}"))
    }

    /// Reads the next answer.
    pub(crate) fn answer(&mut self) -> Result<Answer, NoAnswer> {
        let (head, headers) = self.head()?;
        let status = status(&head);
        let body = match header(&headers, "content-length") {
            Some(length) => self.take(length.parse().expect("a length is a number"))?,
            None if (100..200).contains(&status) || matches!(status, 204 | 304) => Vec::new(),
            None => panic!("an answer without a length: {head}"),
        };
        Ok(Answer { status, headers, body })
    }

    /// The same, with less patience; what comes later is lost with the connection.
    pub(crate) fn answer_within(&mut self, time: Duration) -> Result<Answer, NoAnswer> {
        self.stream.set_read_timeout(Some(time)).expect("an open socket");
        let answer = self.answer();
        // The other side may have reset the connection.
        _ = self.stream.set_read_timeout(Some(DEADLINE));
        answer
    }

    /// Reads the answer to a HEAD request, which has no body whatever its length says.
    pub(crate) fn answer_without_body(&mut self) -> Result<Answer, NoAnswer> {
        let (head, headers) = self.head()?;
        Ok(Answer { status: status(&head), headers, body: Vec::new() })
    }

    /// Reads until the other side closes. An error after the first byte ends it too.
    pub(crate) fn drain(&mut self) -> Vec<u8> {
        while let Ok(()) = self.fill() {}
        std::mem::take(&mut self.ahead)
    }

    /// Waits for the first byte and leaves all bytes where they are.
    pub(crate) fn wait_for_a_byte(&self) {
        let read = self.stream.peek(&mut [0]).expect("a byte comes");
        assert_eq!(read, 1, "the connection closed without a byte");
    }

    /// Whether there is something to read: a byte, or the end.
    pub(crate) fn has_a_byte(&self) -> bool {
        self.stream.set_nonblocking(true).expect("an open socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("an open socket");
        !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Says that nothing more will be sent.
    pub(crate) fn shut_write(&self) {
        // The other side may have reset the connection.
        _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The socket, for a second thread or for options.
    pub(crate) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn head(&mut self) -> Result<(String, Vec<(String, String)>), NoAnswer> {
        let end = loop {
            if let Some(at) = self.ahead.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let head = String::from_utf8(self.take(end)?).expect("a head is text");
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Ok((head, headers))
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, NoAnswer> {
        while self.ahead.len() < length {
            self.fill()?;
        }
        let rest = self.ahead.split_off(length);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    fn fill(&mut self) -> Result<(), NoAnswer> {
        let mut bytes = [0; 64 * 1024];
        let nothing_before = self.ahead.is_empty();
        match self.stream.read(&mut bytes) {
            Ok(0) if nothing_before => Err(NoAnswer::Closed),
            Ok(0) => Err(NoAnswer::BrokeOff(self.ahead.clone())),
            Ok(read) => {
                self.ahead.extend_from_slice(&bytes[..read]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(NoAnswer::Silence)
            }
            Err(_) if nothing_before => Err(NoAnswer::Reset),
            Err(_) => Err(NoAnswer::BrokeOff(self.ahead.clone())),
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is text")
    }

    /// The sentence of a refusal; panics when it is none that helps.
    pub(crate) fn sentence(&self) -> String {
        assert!((400..500).contains(&self.status), "no refusal: {self:?}");
        let sentence = self.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(
            sentence.split_whitespace().count() >= 3,
            "{} without a sentence: {}",
            self.status,
            self.text()
        );
        sentence
    }
}

/// A request with a body.
pub(crate) fn post(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn header<'a>(headers: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

fn status(head: &str) -> u16 {
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no status: {head}"))
}
