//! An answer that is written past HTTP, by the task that has it, on a connection whose server waits for nothing
//! else. It saves waking that server first, and nothing can be lost on the way to it.

use std::io::{self, IoSlice};

use bytes::Bytes;
use tokio::time::sleep;

use super::conn::{AckRequest, Conn, Segment, SendPlan, Written};
use super::io::BLOCKED_WRITE_PAUSE;

/// Up to here copying a body behind its head is cheaper than handing the kernel two pieces.
const MAX_COPIED_BYTES: usize = 16 * 1024;

/// The answer, and how far it is written.
#[derive(Debug)]
pub struct DirectResponse {
    /// The head, and a small body with it.
    first: Bytes,
    head_bytes: usize,
    /// A large body.
    rest: Bytes,
    plan: SendPlan,
    sent: usize,
    was_blocked: bool,
}

impl DirectResponse {
    /// Begins one. Nobody else may write on the connection until it ends.
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

    /// Whether a part of it is written and a part is not: then the connection is of no use to anybody else.
    #[must_use]
    pub fn is_partially_sent(&self) -> bool {
        self.sent > 0 && self.sent < self.bytes()
    }

    /// Writes the rest of it. Dropped, it goes on from there when called again.
    ///
    /// # Errors
    /// The kernel's.
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

    /// As for [`Io`](super::io::Io): after an event in the error queue tokio's word on writing is worth nothing.
    async fn wait(&mut self, conn: &Conn) -> io::Result<()> {
        if std::mem::replace(&mut self.was_blocked, true) {
            sleep(BLOCKED_WRITE_PAUSE).await;
            return Ok(());
        }
        conn.stream().writable().await
    }
}
