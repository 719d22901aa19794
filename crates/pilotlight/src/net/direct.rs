//! An answer that is written past HTTP, by the task that has it, on a connection whose server waits for nothing
//! else. It saves waking that server first, and nothing can be lost on the way to it.

use std::io::{self, IoSlice};

use bytes::Bytes;
use tokio::time::sleep;

use super::conn::{Conn, Pace, Tell, Written};
use super::io::BLIND_WAIT;

/// The answer, and how far it is written.
#[derive(Debug)]
pub struct DirectAnswer {
    head: Bytes,
    body: Bytes,
    tell: Tell,
    pace: Pace,
    sent: usize,
    refused: bool,
}

impl DirectAnswer {
    /// Begins one. Nobody else may write on the connection until it ends.
    #[must_use]
    pub fn begin(conn: &Conn, head: Bytes, body: Bytes, tell: Tell) -> Self {
        let pace = conn.watch_direct_answer(tell);
        Self { head, body, tell, pace, sent: 0, refused: false }
    }

    /// Whether a part of it is written and a part is not: then the connection is of no use to anybody else.
    #[must_use]
    pub fn is_broken_off(&self) -> bool {
        self.sent > 0 && self.sent < self.head.len() + self.body.len()
    }

    /// Writes the rest of it. Dropped, it goes on from there when called again.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn write(&mut self, conn: &Conn) -> io::Result<Written> {
        while self.sent < self.head.len() + self.body.len() {
            match self.send(conn) {
                Ok(sent) => {
                    self.sent += sent;
                    self.refused = false;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(conn).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(conn.wrote_all(self.tell))
    }

    fn send(&self, conn: &Conn) -> io::Result<usize> {
        let head = &self.head[self.sent.min(self.head.len())..];
        let body = &self.body[self.sent.saturating_sub(self.head.len())..];
        let portion = self.pace.portion(conn.written_bytes());
        if head.is_empty() {
            return conn.send(&[IoSlice::new(body)], portion);
        }
        conn.send(&[IoSlice::new(head), IoSlice::new(body)], portion)
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
