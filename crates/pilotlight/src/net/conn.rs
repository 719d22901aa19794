//! A connection that can be asked what became of its bytes. The HTTP machinery holds one end ([`Io`]), whoever
//! wants to know holds the other ([`Conn`]), so the kernel can be asked after HTTP has let go. It never copies
//! the descriptor: that would hold the close back.

use std::fmt;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use super::linger::Linger;
use super::sys;

/// What is called when a run that was acknowledged turns out unread.
type OnUnread = Box<dyn FnOnce() + Send>;

/// How long a write waits for a readiness that tokio cannot tell any more. Only large answers on slow links to
/// runners that were sent a run before come here.
const BLIND_WAIT: Duration = Duration::from_millis(5);

/// An accepted connection.
pub struct Conn {
    stream: TcpStream,
    peer: SocketAddr,
    written: AtomicU64,
    // Whether `watch` has anything to see; spares the lock on all other reads and writes.
    watched: AtomicBool,
    watch: Mutex<Watch>,
    linger: Arc<Linger>,
}

/// Every byte of a watched answer is written.
#[derive(Debug)]
pub struct Written {
    /// Bytes written on this connection up to its end.
    pub end: u64,
    /// Whether the peer's kernel acknowledged them all while they were written.
    pub acknowledged: bool,
}

/// Whether the kernel is asked to tell of the acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// Yes.
    Acknowledgement,
    /// No: written is all we want to know.
    Nothing,
}

/// Which part of an answer is sent at a time.
enum Portion {
    /// All of it; nobody watches.
    Unwatched,
    /// Its head alone.
    Head,
    /// All of it, and the kernel is to tell of its acknowledgement.
    Rest,
}

#[derive(Default)]
struct Watch {
    answer: Option<Answer>,
    events_allowed: bool,
    sent_at: Option<Instant>,
    was_reset: bool,
    on_unread: Option<OnUnread>,
}

struct Answer {
    from: u64,
    body_bytes: u64,
    tell: Tell,
    written: oneshot::Sender<Written>,
}

impl Conn {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, linger: Arc<Linger>) -> Arc<Self> {
        Arc::new(Self {
            stream,
            peer,
            written: AtomicU64::new(0),
            watched: AtomicBool::new(false),
            watch: Mutex::default(),
            linger,
        })
    }

    /// Who connected.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(super) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What the kernel knows; `None` when it cannot be asked, which is as good as closed.
    pub fn state(&self) -> Option<sys::TcpState> {
        sys::tcp_state(&self.stream).ok()
    }

    /// Bytes that the peer's kernel acknowledged so far.
    pub fn acknowledged_bytes(&self) -> u64 {
        self.state().map_or(0, |state| state.acknowledged)
    }

    /// Resets the connection now.
    pub fn reset(&self) {
        if let Err(error) = sys::reset(&self.stream) {
            tracing::debug!(%error, "failed to reset a connection");
        }
    }

    /// Watches the answer that is written next, with a body of so many bytes. `written` is told when every byte
    /// is with the kernel, and dropped when that will never be.
    pub fn watch_answer(&self, body_bytes: usize, tell: Tell, written: oneshot::Sender<Written>) {
        let mut watch = self.lock();
        if tell == Tell::Acknowledgement && !watch.events_allowed {
            watch.events_allowed = sys::allow_ack_events(&self.stream).is_ok();
        }
        let from = self.written.load(Ordering::Relaxed);
        watch.answer = Some(Answer { from, body_bytes: body_bytes as u64, tell, written });
        watch.sent_at = None;
        watch.was_reset = false;
        watch.on_unread = None;
        self.watched.store(true, Ordering::Release);
    }

    /// Calls `then` when the peer resets the connection without having used it again since the last watched
    /// answer. That may be now.
    pub fn when_unread(&self, then: impl FnOnce() + Send + 'static) {
        let mut watch = self.lock();
        if watch.was_reset {
            drop(watch);
            then();
        } else if watch.sent_at.is_some() {
            watch.on_unread = Some(Box::new(then));
        }
    }

    /// The peer used the connection again, or closed it in good order.
    pub(super) fn was_used(&self) {
        let mut watch = self.lock();
        watch.sent_at = None;
        watch.on_unread = None;
        if watch.answer.is_none() {
            self.watched.store(false, Ordering::Release);
        }
    }

    /// The peer reset the connection.
    pub(super) fn was_reset(&self) {
        let mut watch = self.lock();
        let Some(sent_at) = watch.sent_at.take() else { return };
        watch.was_reset = sent_at.elapsed() < pilotlight_core::limits::UNREAD_WITHIN;
        let then = watch.on_unread.take().filter(|_| watch.was_reset);
        drop(watch);
        if let Some(then) = then {
            then();
        }
    }

    /// When the last watched answer was sent, unless the peer has shown since that it is alive.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        self.lock().sent_at
    }

    fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Acquire)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Watch> {
        self.watch.lock().expect("nothing panics under this lock")
    }

    fn send(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let sent = match self.portion(bytes) {
            Portion::Unwatched => self.stream.try_write_vectored(bytes)?,
            Portion::Head => self.stream.try_write(&bytes[0])?,
            Portion::Rest => sys::try_send_for_ack(&self.stream, bytes)?,
        };
        self.written.fetch_add(sent as u64, Ordering::Relaxed);
        Ok(sent)
    }

    /// On a connection that was used before, the peer's kernel holds its acknowledgement back for up to 40 ms,
    /// hoping to send it along with data. Two segments in a row end that, so the head goes alone
    /// (docs/decisions/0002).
    fn portion(&self, bytes: &[IoSlice<'_>]) -> Portion {
        if !self.is_watched() {
            return Portion::Unwatched;
        }
        let watch = self.lock();
        let Some(answer) = watch.answer.as_ref().filter(|answer| answer.tell == Tell::Acknowledgement) else {
            return Portion::Unwatched;
        };
        let is_first = answer.from == self.written.load(Ordering::Relaxed);
        if is_first && answer.from > 0 && bytes.len() > 1 { Portion::Head } else { Portion::Rest }
    }

    /// HTTP has nothing more to write at this moment.
    fn flushed(&self) {
        let end = self.written.load(Ordering::Relaxed);
        let mut watch = self.lock();
        let Some(answer) = watch.answer.take_if(|answer| end - answer.from > answer.body_bytes) else {
            return;
        };
        watch.sent_at = Some(Instant::now());
        drop(watch);
        let acknowledged = answer.tell == Tell::Acknowledgement && self.acknowledged_bytes() >= end;
        if acknowledged {
            _ = sys::drop_ack_event(&self.stream);
        }
        // Nobody listens when the supervisor left; the runner has the run all the same.
        _ = answer.written.send(Written { end, acknowledged });
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Conn").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// HTTP's end of a connection.
pub(super) struct Io {
    conn: Arc<Conn>,
    blind: Option<Pin<Box<Sleep>>>,
}

impl Io {
    pub(super) const fn new(conn: Arc<Conn>) -> Self {
        Self { conn, blind: None }
    }

    /// tokio takes an event in the error queue for a closed write side, for ever, and then calls a full socket
    /// writable. Believing it would spin, so a write that is refused twice running waits by the clock.
    fn poll_send(&mut self, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut refused = false;
        loop {
            if let Some(blind) = &mut self.blind {
                ready!(blind.as_mut().poll(cx));
                self.blind = None;
            }
            ready!(self.conn.stream.poll_write_ready(cx))?;
            match self.conn.send(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if std::mem::replace(&mut refused, true) {
                        self.blind = Some(Box::pin(sleep(BLIND_WAIT)));
                    }
                }
                sent => return Poll::Ready(sent),
            }
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let conn = &self.conn;
        loop {
            ready!(conn.stream.poll_read_ready(cx))?;
            match conn.stream.try_read_buf(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    if error.kind() == io::ErrorKind::ConnectionReset {
                        conn.was_reset();
                    }
                    return Poll::Ready(Err(error));
                }
                Ok(_) => {
                    if conn.is_watched() {
                        conn.was_used();
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
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
            self.conn.flushed();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = socket2::SockRef::from(&self.conn.stream);
        Poll::Ready(socket.shutdown(std::net::Shutdown::Write))
    }
}

impl Drop for Io {
    fn drop(&mut self) {
        // An answer that is not written by now never will be.
        drop(self.conn.lock().answer.take());
        self.conn.linger.keep(&self.conn);
    }
}
