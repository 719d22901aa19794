//! Between HTTP's machinery and its stream: knows whether an answer is the service's or the machinery's own, as for a
//! head that is too long. Of some requests the machinery must not answer anything: then the connection ends instead.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The machinery's own answers to what is no request begin so.
const REFUSAL: &[u8] = b"HTTP/1.1 4";

/// The one that everybody may be answered.
const BAD_REQUEST: &[u8] = b"HTTP/1.1 400";

/// As much of a request's beginning as tells what it asks for, in any form of its target.
const START_BYTES: usize = 96;

/// A stream whose answers are looked at.
pub(super) struct ResponseGuard<S> {
    stream: S,
    start: Vec<u8>,
    from_service: Arc<AtomicBool>,
    must_come_from_service: fn(&[u8]) -> bool,
}

impl<S> ResponseGuard<S> {
    /// `from_service` is set by the service whenever it answers. Where `must_come_from_service` says so of a request's beginning,
    /// nobody else answers it.
    pub(super) const fn new(
        stream: S,
        from_service: Arc<AtomicBool>,
        must_come_from_service: fn(&[u8]) -> bool,
    ) -> Self {
        Self { stream, start: Vec::new(), from_service, must_come_from_service }
    }

    /// Looks at what is to be written: the beginning of an answer, or more of one.
    fn check(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.from_service.swap(false, Ordering::AcqRel) {
            self.start.clear();
        } else if bytes.starts_with(REFUSAL) && self.must_suppress(bytes) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// Of a request that came together with the one before, the beginning is not known: it may be any.
    fn must_suppress(&self, response: &[u8]) -> bool {
        let is_unknown = self.start.is_empty() && !response.starts_with(BAD_REQUEST);
        is_unknown || (self.must_come_from_service)(&self.start)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ResponseGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, into))?;
        let free = START_BYTES - self.start.len();
        let read = &into.filled()[before..];
        self.start.extend_from_slice(&read[..read.len().min(free)]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ResponseGuard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(bytes)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(bytes.first().map_or(&[], |first| first))?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
