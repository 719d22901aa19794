//! The half of a connection that its server reads and writes: hyper, or the fast path before it.

use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Sleep, sleep};

use super::conn::Conn;
use super::reset_watch::ResetWatch;

/// How long a blocked write pauses when tokio's write readiness can no longer be trusted. Only large responses on
/// slow links, to runners that got a run before on the same connection, come here.
pub(super) const BLOCKED_WRITE_PAUSE: Duration = Duration::from_millis(5);

/// The server's half of a connection.
#[derive(Debug)]
pub struct Io {
    conn: Arc<Conn>,
    reader: OwnedReadHalf,
    pushed_back: Bytes,
    retry_timer: Option<Pin<Box<Sleep>>>,
    reset_watch: Arc<ResetWatch>,
}

impl Io {
    /// When this half is dropped, `reset_watch` checks whether the peer leaves the last response unread.
    pub(super) const fn new(conn: Arc<Conn>, reader: OwnedReadHalf, reset_watch: Arc<ResetWatch>) -> Self {
        Self { conn, reader, pushed_back: Bytes::new(), retry_timer: None, reset_watch }
    }

    /// Puts bytes back: they are read again, before all others.
    pub fn put_back(&mut self, bytes: Bytes) {
        self.pushed_back = bytes;
    }

    /// Ready when there may be something to read: bytes, the end, or an error.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.conn.stream().poll_read_ready(cx).map(drop)
    }

    /// Reads the bytes that have arrived.
    ///
    /// # Errors
    /// `WouldBlock` when there are none; otherwise the kernel's error.
    pub fn try_read(&self, into: &mut BytesMut) -> io::Result<usize> {
        let read = self.reader.try_read_buf(into);
        if read.as_ref().map_or_else(|error| error.kind() != io::ErrorKind::WouldBlock, |_| true) {
            self.observe_read(read.as_ref().err());
        }
        read
    }

    /// Records a sign of the peer: bytes, an end of stream, or a reset.
    fn observe_read(&self, error: Option<&io::Error>) {
        match error {
            Some(error) if error.kind() == io::ErrorKind::ConnectionReset => self.conn.mark_reset(),
            None if self.conn.is_watched() => self.conn.mark_used(),
            Some(_) | None => {}
        }
    }

    /// tokio takes an event in the error queue for a closed write side, for ever, and from then on reports a full
    /// socket as writable. Trusting that would spin, so a write that would block twice in a row pauses for
    /// [`BLOCKED_WRITE_PAUSE`] (docs/decisions/0004).
    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut was_blocked = false;
        loop {
            if let Some(retry_timer) = &mut self.retry_timer {
                ready!(retry_timer.as_mut().poll(cx));
                self.retry_timer = None;
            }
            ready!(self.conn.stream().poll_write_ready(cx))?;
            match self.conn.send(bytes, self.conn.next_segment()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if std::mem::replace(&mut was_blocked, true) {
                        self.retry_timer = Some(Box::pin(sleep(BLOCKED_WRITE_PAUSE)));
                    }
                }
                sent => return Poll::Ready(sent),
            }
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.pushed_back.has_remaining() {
            let length = self.pushed_back.len().min(into.remaining());
            into.put_slice(&self.pushed_back.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let read = ready!(Pin::new(&mut self.reader).poll_read(cx, into));
        self.observe_read(read.as_ref().err());
        Poll::Ready(read)
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.conn.is_watched() {
            self.conn.on_flush();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = socket2::SockRef::from(self.conn.stream());
        Poll::Ready(socket.shutdown(std::net::Shutdown::Write))
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        self.conn.release();
        self.reset_watch.watch(&self.conn);
    }
}
