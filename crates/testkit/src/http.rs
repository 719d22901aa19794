//! A small HTTP/1.1 client on a raw socket. It reports what ordinary clients hide: a connection that closed without a
//! byte, a reset, an incomplete response.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::wait::DEADLINE;

/// A connection, and the bytes that were read from it after the last response.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers; their names are in lower case.
    headers: Vec<(String, String)>,
    /// The body; empty when there is none.
    pub body: Vec<u8>,
}

/// Why there is no response.
#[derive(PartialEq, Eq)]
pub enum NoResponse {
    /// The connection was closed cleanly, without a byte.
    Closed,
    /// The connection was reset, without a byte.
    Reset,
    /// The connection ended after these bytes, which are not a complete response.
    Incomplete(Vec<u8>),
    /// No byte arrived before the deadline.
    Timeout,
}

/// Shows only the beginning of an incomplete response: it may have megabytes.
impl fmt::Debug for NoResponse {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => out.write_str("Closed"),
            Self::Reset => out.write_str("Reset"),
            Self::Timeout => out.write_str("Timeout"),
            Self::Incomplete(bytes) => {
                let start = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
                write!(out, "Incomplete({} bytes: {start:?}...)", bytes.len())
            }
        }
    }
}

impl Connection {
    /// Connects to this address.
    pub fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to);
        Self::on(stream.unwrap_or_else(|error| panic!("failed to connect to {to}: {error}")))
    }

    /// Connects within this time; `None` when the address does not accept a connection.
    pub fn try_open(to: SocketAddr, within: Duration) -> Option<Self> {
        TcpStream::connect_timeout(&to, within).ok().map(Self::on)
    }

    fn on(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an open socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("an open socket");
        stream.set_write_timeout(Some(DEADLINE)).expect("an open socket");
        Self { stream, buffer: Vec::new() }
    }

    /// Sends these bytes unchanged.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap_or_else(|error| panic!("failed to send: {error}"));
    }

    /// Sends bytes to a server that may have closed the connection.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends a GET request and reads the response.
    pub fn get(&mut self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        self.response().unwrap_or_else(|none| panic!("no response to GET {path}: {none:?}"))
    }

    /// Sends a POST request and reads the response.
    pub fn post(&mut self, path: &str, body: impl AsRef<[u8]>) -> Response {
        self.send(post_request(path, body));
        self.response().unwrap_or_else(|none| panic!("no response to POST {path}: {none:?}"))
    }

    /// Reads the next response.
    pub fn response(&mut self) -> Result<Response, NoResponse> {
        let (head, headers) = self.head()?;
        let status = status(&head);
        let body = match header(&headers, "content-length") {
            Some(length) => self.take(length.parse().expect("a length is a number"))?,
            None if (100..200).contains(&status) || matches!(status, 204 | 304) => Vec::new(),
            None => panic!("a response without a length: {head}"),
        };
        Ok(Response { status, headers, body })
    }

    /// Reads the next response within this time. A response that arrives later makes the connection unusable.
    pub fn response_within(&mut self, time: Duration) -> Result<Response, NoResponse> {
        self.stream.set_read_timeout(Some(time)).expect("an open socket");
        let response = self.response();
        // The server may have reset the connection.
        _ = self.stream.set_read_timeout(Some(DEADLINE));
        response
    }

    /// Reads the response to a HEAD request. It has no body, whatever its `content-length` is.
    pub fn response_without_body(&mut self) -> Result<Response, NoResponse> {
        let (head, headers) = self.head()?;
        Ok(Response { status: status(&head), headers, body: Vec::new() })
    }

    /// Reads until the server closes the connection or an error occurs, and returns the bytes.
    pub fn drain(&mut self) -> Vec<u8> {
        while let Ok(()) = self.fill() {}
        std::mem::take(&mut self.buffer)
    }

    /// Waits for the first byte and does not consume it.
    pub fn wait_until_readable(&self) {
        let read = self.stream.peek(&mut [0]).expect("a byte arrives");
        assert_eq!(read, 1, "the connection closed without a byte");
    }

    /// Whether a read would not block: a byte has arrived, or the connection has ended.
    pub fn is_readable(&self) -> bool {
        self.stream.set_nonblocking(true).expect("an open socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).expect("an open socket");
        !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Closes the sending direction.
    pub fn shutdown_write(&self) {
        // The server may have reset the connection.
        _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The socket, for a second thread or for options.
    pub const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn head(&mut self) -> Result<(String, Vec<(String, String)>), NoResponse> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
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

    fn take(&mut self, length: usize) -> Result<Vec<u8>, NoResponse> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    fn fill(&mut self) -> Result<(), NoResponse> {
        let mut bytes = [0; 64 * 1024];
        let was_empty = self.buffer.is_empty();
        match self.stream.read(&mut bytes) {
            Ok(0) if was_empty => Err(NoResponse::Closed),
            Ok(0) => Err(NoResponse::Incomplete(self.buffer.clone())),
            Ok(read) => {
                self.buffer.extend_from_slice(&bytes[..read]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(NoResponse::Timeout)
            }
            Err(_) if was_empty => Err(NoResponse::Reset),
            Err(_) => Err(NoResponse::Incomplete(self.buffer.clone())),
        }
    }
}

impl Response {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is text")
    }

    /// The error text of a 4xx response. Panics when the status is not 4xx, or the text has fewer than three words.
    pub fn error_text(&self) -> String {
        assert!((400..500).contains(&self.status), "no 4xx response: {self:?}");
        let text = self.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(
            text.split_whitespace().count() >= 3,
            "{} without an error text: {}",
            self.status,
            self.text()
        );
        text
    }
}

/// The bytes of a POST request.
pub fn post_request(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
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
