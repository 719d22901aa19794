//! A reader of server-sent events on a raw socket, in chunked encoding.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;

use serde_json::Value;

use crate::http::Connection;

/// An open stream of events.
pub struct EventStream {
    from: BufReader<TcpStream>,
    text: String,
}

impl EventStream {
    /// Subscribes to a job on an open connection.
    pub fn of_job(connection: Connection, job: &str) -> Self {
        Self::at(connection, &format!("/api/jobs/{job}/events"))
    }

    /// Subscribes at this path.
    pub fn at(mut connection: Connection, path: &str) -> Self {
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

    /// The next event's name and data; `None` once the stream has ended cleanly.
    #[expect(clippy::should_implement_trait, reason = "an iterator would have to hide that it blocks")]
    pub fn next(&mut self) -> Option<(String, Value)> {
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

    /// Reads events until `find` returns a value.
    pub fn until<T>(&mut self, find: impl Fn(&(String, Value)) -> Option<T>) -> T {
        loop {
            let event = self.next().expect("the stream has another event");
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
