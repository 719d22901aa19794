//! An answer that is written past HTTP, by the task that has it, on a connection whose server waits for nothing
//! else. It saves waking that server first, and nothing can be lost on the way to it.

use std::io::{self, IoSlice};

use bytes::Bytes;
use tokio::time::sleep;

use super::conn::{Conn, Pace, Portion, Tell, Written};
use super::io::BLIND_WAIT;

/// Up to here copying a body behind its head is cheaper than handing the kernel two pieces.
const COPIED_BYTES: usize = 16 * 1024;

/// The answer, and how far it is written.
#[derive(Debug)]
pub struct DirectAnswer {
    /// The head, and a small body with it.
    first: Bytes,
    head_bytes: usize,
    /// A large body.
    rest: Bytes,
    pace: Pace,
    sent: usize,
    refused: bool,
}

impl DirectAnswer {
    /// Begins one. Nobody else may write on the connection until it ends.
    #[must_use]
    pub fn begin(conn: &Conn, head: Bytes, body: Bytes, tell: Tell) -> Self {
        let pace = conn.watch_direct_answer(tell);
        let head_bytes = head.len();
        let (first, rest) = if body.len() > COPIED_BYTES {
            (head, body)
        } else {
            ([head, body].concat().into(), Bytes::new())
        };
        Self { first, head_bytes, rest, pace, sent: 0, refused: false }
    }

    /// Whether a part of it is written and a part is not: then the connection is of no use to anybody else.
    #[must_use]
    pub fn is_broken_off(&self) -> bool {
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
                    self.refused = false;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(conn).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(conn.wrote_all(self.pace))
    }

    fn bytes(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    fn send(&self, conn: &Conn) -> io::Result<usize> {
        let portion = self.pace.portion(conn.written_bytes());
        if portion == Portion::Head && self.sent < self.head_bytes {
            return conn.send(&[IoSlice::new(&self.first[self.sent..self.head_bytes])], Portion::Unwatched);
        }
        let first = &self.first[self.sent.min(self.first.len())..];
        let rest = &self.rest[self.sent.saturating_sub(self.first.len())..];
        match (first, rest) {
            ([], one) | (one, []) => conn.send(&[IoSlice::new(one)], portion),
            (first, rest) => conn.send(&[IoSlice::new(first), IoSlice::new(rest)], portion),
        }
    }

    /// As for [`Io`](super::io::Io): after an event in the error queue tokio's word on writing is worth nothing.
    async fn wait(&mut self, conn: &Conn) -> io::Result<()> {
        if std::mem::replace(&mut self.refused, true) {
            sleep(BLIND_WAIT).await;
            return Ok(());
        }
        conn.stream().writable().await
    }
}
