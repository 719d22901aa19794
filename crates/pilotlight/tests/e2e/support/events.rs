//! Somebody who watches, on a raw socket: server-sent events in chunks, one after the other.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;

use serde_json::Value;

use super::http::Connection;

/// A watcher.
pub(crate) struct Events {
    from: BufReader<TcpStream>,
    text: String,
}

impl Events {
    /// Watches this job, on a connection that is open.
    pub(crate) fn of(connection: Connection, job: &str) -> Self {
        Self::at(connection, &format!("/api/jobs/{job}/events"))
    }

    /// Watches what is told at this path.
    pub(crate) fn at(mut connection: Connection, path: &str) -> Self {
        connection.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        let mut from = BufReader::new(connection.stream().try_clone().expect("an open socket"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(from.read_line(&mut head).expect("a head"), 0, "the stream ended: {head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        Self { from, text: String::new() }
    }

    /// The next event; `None` once the stream has ended in good order.
    pub(crate) fn next(&mut self) -> Option<(String, Value)> {
        while !self.text.contains("\n\n") {
            let chunk = self.chunk();
            if chunk.is_empty() {
                return None;
            }
            self.text += &chunk;
        }
        let (event, rest) = self.text.split_once("\n\n").expect("a whole event");
        let (name, data) = event.split_once('\n').expect("a name and its data");
        let name = name.strip_prefix("event: ").expect("a name").to_owned();
        let data = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
        self.text = rest.to_owned();
        Some((name, data))
    }

    /// The first event of which this finds something.
    pub(crate) fn until<T>(&mut self, find: impl Fn(&(String, Value)) -> Option<T>) -> T {
        loop {
            let event = self.next().expect("the stream goes on");
            if let Some(found) = find(&event) {
                return found;
            }
        }
    }

    fn chunk(&mut self) -> String {
        let mut length = String::new();
        self.from.read_line(&mut length).expect("a chunk");
        let length = usize::from_str_radix(length.trim_end(), 16).expect("a chunk's length");
        let mut chunk = vec![0; length + 2];
        self.from.read_exact(&mut chunk).expect("a whole chunk");
        String::from_utf8(chunk[..length].to_vec()).expect("text")
    }
}
