//! A response that the task with the run writes directly to the poll's connection, without hyper, while the
//! connection's own task only waits. That saves waking the connection's task first, and the run cannot be lost on the
//! way to it.

use std::io::{self, IoSlice};

use bytes::Bytes;
use tokio::time::sleep;

use super::conn::{AckRequest, Conn, Segment, SendPlan, Written};
use super::io::BLOCKED_WRITE_PAUSE;

/// Up to this size, copying a body behind its head is cheaper than passing the kernel two slices.
const MAX_COPIED_BYTES: usize = 16 * 1024;

/// A response and how much of it has been written.
#[derive(Debug)]
pub struct DirectResponse {
    /// The head, followed by the body if that is small.
    first: Bytes,
    head_bytes: usize,
    /// The body if it is large, empty otherwise.
    rest: Bytes,
    plan: SendPlan,
    sent: usize,
    was_blocked: bool,
}

impl DirectResponse {
    /// Begins a response. No other code may write on the connection until it ends.
    #[must_use]
    pub fn begin(conn: &Conn, head: Bytes, body: Bytes, ack: AckRequest) -> Self {
        let plan = conn.watch_direct_response(ack);
        let head_bytes = head.len();
        let (first, rest) = if body.len() > MAX_COPIED_BYTES {
            (head, body)
        } else {
            ([head, body].concat().into(), Bytes::new())
        };
        Self { first, head_bytes, rest, plan, sent: 0, was_blocked: false }
    }

    /// Whether only a part of the response has been written: then the connection cannot be used for anything else.
    #[must_use]
    pub fn is_partially_sent(&self) -> bool {
        self.sent > 0 && self.sent < self.bytes()
    }

    /// Writes the rest of the response. It can be dropped and called again: it continues where it stopped.
    ///
    /// # Errors
    /// The kernel's error.
    pub async fn write(&mut self, conn: &Conn) -> io::Result<Written> {
        while self.sent < self.bytes() {
            match self.send(conn) {
                Ok(sent) => {
                    self.sent += sent;
                    self.was_blocked = false;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(conn).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(conn.record_written(self.plan))
    }

    fn bytes(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    fn send(&self, conn: &Conn) -> io::Result<usize> {
        let segment = self.plan.segment(conn.written_bytes());
        if segment == Segment::Head && self.sent < self.head_bytes {
            return conn.send(&[IoSlice::new(&self.first[self.sent..self.head_bytes])], Segment::Unwatched);
        }
        let first = &self.first[self.sent.min(self.first.len())..];
        let rest = &self.rest[self.sent.saturating_sub(self.first.len())..];
        match (first, rest) {
            ([], one) | (one, []) => conn.send(&[IoSlice::new(one)], segment),
            (first, rest) => conn.send(&[IoSlice::new(first), IoSlice::new(rest)], segment),
        }
    }

    /// Waits until the socket is writable. As in [`Io`](super::io::Io), tokio's write readiness cannot be trusted
    /// after an event in the error queue, so the second wait in a row is a pause.
    async fn wait(&mut self, conn: &Conn) -> io::Result<()> {
        if std::mem::replace(&mut self.was_blocked, true) {
            sleep(BLOCKED_WRITE_PAUSE).await;
            return Ok(());
        }
        conn.stream().writable().await
    }
}
