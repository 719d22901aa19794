//! Sits between hyper and the stream, and distinguishes responses of the service from responses that hyper writes by
//! itself, for example to a head that is too long. For some requests hyper must not respond: then the connection ends
//! without a byte.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The start of hyper's own responses to invalid requests.
const REFUSAL: &[u8] = b"HTTP/1.1 4";

/// The one response of hyper that any client may get.
const BAD_REQUEST: &[u8] = b"HTTP/1.1 400";

/// How many bytes of a request are recorded: enough to recognise its method and path, in any form of the request
/// target.
const START_BYTES: usize = 96;

/// A stream that checks the start of each response.
pub(super) struct ResponseGuard<S> {
    stream: S,
    start: Vec<u8>,
    from_service: Arc<AtomicBool>,
    must_come_from_service: fn(&[u8]) -> bool,
}

impl<S> ResponseGuard<S> {
    /// The service sets `from_service` before each of its responses. A request whose first bytes
    /// `must_come_from_service` accepts is answered by the service or not at all.
    pub(super) const fn new(
        stream: S,
        from_service: Arc<AtomicBool>,
        must_come_from_service: fn(&[u8]) -> bool,
    ) -> Self {
        Self { stream, start: Vec::new(), from_service, must_come_from_service }
    }

    /// Checks bytes that are about to be written: the start of a response, or more of one.
    fn check(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.from_service.swap(false, Ordering::AcqRel) {
            self.start.clear();
        } else if bytes.starts_with(REFUSAL) && self.must_suppress(bytes) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }

    /// The first bytes of a pipelined request are unknown: it may be any request.
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
