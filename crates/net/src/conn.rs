//! An accepted connection, in two halves: the server reads and writes through [`Io`](super::io::Io), and the
//! dispatcher asks through [`Conn`] how many bytes the peer's kernel acknowledged, also after HTTP has dropped its
//! half. The halves share one descriptor. It must never be duplicated, because a duplicate would delay the close of
//! the connection.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pilotlight_core::delivery::AckMode;
use pilotlight_core::limits::UNREAD_WINDOW;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::sys;
use super::ticks::{Deadline, Ticks};

/// Called when the peer's kernel acknowledged a run but its program never read it.
type OnUnread = Box<dyn FnOnce() + Send>;

/// The half of an accepted connection that reads its TCP state and watches its responses.
pub struct Conn {
    socket: OwnedWriteHalf,
    peer: SocketAddr,
    transport: Transport,
    written: AtomicU64,
    // Whether `watch` is in use. Reads and writes of all other connections then do not take the lock.
    watched: AtomicBool,
    watch: Mutex<ResponseWatch>,
    // How many sends of the last watched response asked the kernel for an acknowledgement event.
    ack_events_requested: AtomicU64,
    // How many more responses are sent in two segments because the peer's acknowledgements come late.
    split_heads_left: AtomicU8,
    // Whether the last acknowledgement arrived as an event. If so, the next one is probably not there either when the
    // write returns.
    acked_by_event: AtomicBool,
    deadline: Deadline,
    ticks: Arc<Ticks>,
}

/// What the bytes on the socket carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Plain HTTP over TCP.
    Tcp,
    /// HTTP over TLS.
    Tls,
}

/// The report that every byte of a watched response was written to the socket.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// When the last byte was written.
    pub at: Instant,
    /// How many bytes were written on this connection, up to the end of the response.
    pub end: u64,
    /// Whether the peer's kernel had acknowledged all of them when the write returned.
    pub acknowledged: bool,
}

/// Whether the kernel is asked for an event when the peer acknowledges a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckRequest {
    /// The event is requested.
    Requested,
    /// No event is requested: it is enough that the response is written.
    NotRequested,
}

impl From<AckMode> for AckRequest {
    fn from(ack_mode: AckMode) -> Self {
        match ack_mode {
            AckMode::Kernel => Self::Requested,
            AckMode::Written => Self::NotRequested,
        }
    }
}

/// How often [`Conn::peer_closed`] reads the TCP state. It is precise enough for polls: until a poll is selected it
/// is only counted, and its state is read again at selection.
const PEER_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// An acknowledgement that takes longer than this is late: a kernel that does not delay it sends it at once. A slow
/// link can also take this long; there, a second segment does no harm.
const LATE_ACK_AFTER: Duration = Duration::from_millis(1);

/// How many responses are sent in two segments after a late acknowledgement, before one segment is used again.
const SPLIT_HEAD_RESPONSES: u8 = 64;

/// How a response is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct SendPlan {
    ack: AckRequest,
    split_head: bool,
    start_offset: u64,
}

/// Which part of a response one send covers, and whether the kernel is asked for an acknowledgement event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment {
    /// As many bytes as fit, without an event.
    Unwatched,
    /// The first slice (the response's head) alone.
    Head,
    /// As many bytes as fit, with an event for their acknowledgement.
    Rest,
}

#[derive(Default)]
struct ResponseWatch {
    response: Option<WatchedResponse>,
    events_enabled: bool,
    sent_at: Option<Instant>,
    was_reset: bool,
    on_unread: Option<OnUnread>,
}

struct WatchedResponse {
    plan: SendPlan,
    body_bytes: u64,
    written: oneshot::Sender<Written>,
}

impl Conn {
    pub(super) fn new(
        socket: OwnedWriteHalf,
        peer: SocketAddr,
        transport: Transport,
        ticks: Arc<Ticks>,
    ) -> Self {
        Self {
            socket,
            peer,
            transport,
            written: AtomicU64::new(0),
            watched: AtomicBool::new(false),
            watch: Mutex::default(),
            ack_events_requested: AtomicU64::new(0),
            split_heads_left: AtomicU8::new(0),
            acked_by_event: AtomicBool::new(false),
            deadline: Deadline::default(),
            ticks,
        }
    }

    /// The address of the peer.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether the connection uses TLS.
    pub fn is_tls(&self) -> bool {
        self.transport == Transport::Tls
    }

    pub(super) fn stream(&self) -> &TcpStream {
        self.socket.as_ref()
    }

    /// The TCP state; `None` when the kernel does not return it. Callers treat that as closed.
    pub fn state(&self) -> Option<sys::TcpState> {
        sys::tcp_state(self.stream()).ok()
    }

    /// Bytes that the peer's kernel acknowledged so far; 0 when the kernel does not return the TCP state.
    pub fn acknowledged_bytes(&self) -> u64 {
        self.state().map_or(0, |state| state.acknowledged)
    }

    /// Waits until the peer has closed its side or the whole connection. hyper does not notice that while bytes that
    /// came after the request are unread, so this reads the TCP state a few times a second.
    pub async fn peer_closed(&self) {
        while self.state().is_some_and(|state| state.is_open) {
            sleep(PEER_CHECK_INTERVAL).await;
        }
    }

    /// Resets the connection now.
    pub fn reset(&self) {
        if let Err(error) = sys::reset(self.stream()) {
            tracing::debug!(%error, "failed to reset a connection");
        }
    }

    /// Sets the deadline for the head of the peer's next request. When it passes, the read side is shut down. While
    /// no byte of that request has come, a stop of the service ends the connection sooner.
    pub fn set_request_deadline(&self, time: Duration) {
        self.deadline.set_idle(true);
        self.deadline.set(&self.ticks, time);
    }

    /// Records that a part of the request has come: a stop of the service no longer ends the connection early.
    pub fn mark_request_started(&self) {
        self.deadline.set_idle(false);
    }

    /// Sets the deadline for the bytes that the peer still has to send. When it passes, the read side is shut down.
    pub fn set_read_deadline(&self, time: Duration) {
        self.deadline.set(&self.ticks, time);
    }

    /// Removes the deadline: the peer does not have to send anything.
    pub fn clear_read_deadline(&self) {
        self.deadline.clear();
    }

    /// Whether the read side was shut down because a deadline passed or the service stops.
    pub fn deadline_passed(&self) -> bool {
        self.deadline.is_passed()
    }

    /// Whether the connection must close after the response to its current request.
    pub fn should_close(&self) -> bool {
        self.ticks.is_stopping()
    }

    pub(super) const fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Shuts down the read side: the server reads an end of stream.
    pub(super) fn shutdown_read(&self) {
        // The error means that the connection is closed already.
        _ = SockRef::from(self.stream()).shutdown(Shutdown::Read);
    }

    /// Watches the response that hyper writes next, with a body of `body_bytes`. `written` gets a [`Written`] when
    /// the kernel has every byte; it is dropped when the response can no longer be written completely.
    pub fn watch_response(&self, body_bytes: usize, ack: AckRequest, written: oneshot::Sender<Written>) {
        let plan = self.make_plan(ack);
        let response = WatchedResponse { plan, body_bytes: body_bytes as u64, written };
        self.start_watch(ack, Some(response), None);
    }

    /// Watches a response that is written next without hyper. It counts as sent from this call on, because the peer
    /// may use the connection again before the write returns.
    pub(super) fn watch_direct_response(&self, ack: AckRequest) -> SendPlan {
        self.start_watch(ack, None, Some(Instant::now()));
        self.make_plan(ack)
    }

    fn start_watch(&self, ack: AckRequest, response: Option<WatchedResponse>, sent_at: Option<Instant>) {
        self.discard_old_events();
        let mut watch = self.lock();
        let events_enabled = watch.events_enabled
            || ack == AckRequest::Requested && sys::enable_ack_events(self.stream()).is_ok();
        *watch = ResponseWatch { response, events_enabled, sent_at, was_reset: false, on_unread: None };
        self.watched.store(true, Ordering::Release);
    }

    /// Calls `callback` when the peer resets the connection without having used it since the last watched response.
    /// If the reset has already been seen, it is called at once.
    pub fn when_unread(&self, callback: impl FnOnce() + Send + 'static) {
        let mut watch = self.lock();
        if watch.was_reset {
            drop(watch);
            callback();
        } else if watch.sent_at.is_some() {
            watch.on_unread = Some(Box::new(callback));
        }
    }

    /// A large response requests many events, and one wake-up can cover several of them. The rest would fill the
    /// error queue.
    fn discard_old_events(&self) {
        if self.ack_events_requested.swap(0, Ordering::Relaxed) > 1 {
            while sys::discard_ack_event(self.stream()).is_ok() {}
        }
    }

    /// Records that the peer used the connection again, or closed it without a reset.
    pub(super) fn mark_used(&self) {
        let mut watch = self.lock();
        watch.sent_at = None;
        watch.on_unread = None;
        if watch.response.is_none() {
            self.watched.store(false, Ordering::Release);
        }
    }

    /// Records that the peer reset the connection, and calls the callback when that proves the response unread.
    pub(super) fn mark_reset(&self) {
        let mut watch = self.lock();
        let Some(sent_at) = watch.sent_at.take() else { return };
        watch.was_reset = sent_at.elapsed() < UNREAD_WINDOW;
        let callback = watch.on_unread.take().filter(|_| watch.was_reset);
        drop(watch);
        if let Some(callback) = callback {
            callback();
        }
    }

    /// When the last watched response was sent; `None` once the peer has used or reset the connection since.
    pub(super) fn unread_since(&self) -> Option<Instant> {
        self.lock().sent_at
    }

    pub(super) fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, ResponseWatch> {
        self.watch.lock().expect("nothing panics under this lock")
    }

    /// Bytes written so far.
    pub(super) fn written_bytes(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Sends a part of a response, in one system call.
    pub(super) fn send(&self, bytes: &[IoSlice<'_>], segment: Segment) -> io::Result<usize> {
        let sent = match segment {
            Segment::Unwatched if bytes.len() > 1 => self.stream().try_write_vectored(bytes)?,
            Segment::Head if bytes.len() > 1 => self.stream().try_write(&bytes[0])?,
            Segment::Unwatched => self.stream().try_write(&bytes[0])?,
            Segment::Head | Segment::Rest => {
                self.ack_events_requested.fetch_add(1, Ordering::Relaxed);
                sys::try_send_with_ack_event(self.stream(), bytes)?
            }
        };
        self.written.fetch_add(sent as u64, Ordering::Relaxed);
        Ok(sent)
    }

    /// Which part of hyper's response is sent next.
    pub(super) fn next_segment(&self) -> Segment {
        if !self.is_watched() {
            return Segment::Unwatched;
        }
        match &self.lock().response {
            Some(response) => response.plan.segment(self.written_bytes()),
            None => Segment::Unwatched,
        }
    }

    /// Records how long the peer's kernel took to acknowledge a response. A kernel whose program usually answers soon
    /// delays its acknowledgement by up to 40 ms, to send it together with the answer. Two segments in a row end that
    /// delay, so after a late acknowledgement the heads of the next responses are sent as segments of their own
    /// (docs/decisions/0002).
    pub fn record_ack_delay(&self, time: Duration) {
        self.acked_by_event.store(true, Ordering::Relaxed);
        if time > LATE_ACK_AFTER {
            self.split_heads_left.store(SPLIT_HEAD_RESPONSES, Ordering::Relaxed);
        }
    }

    fn make_plan(&self, ack: AckRequest) -> SendPlan {
        let decrement = |count: u8| count.checked_sub(1);
        let split_head =
            self.split_heads_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, decrement).is_ok();
        SendPlan { ack, split_head, start_offset: self.written_bytes() }
    }

    /// Called when hyper has nothing more to write now: reports a watched response as written once its head and body
    /// are.
    pub(super) fn on_flush(&self) {
        let end = self.written_bytes();
        let mut watch = self.lock();
        let Some(response) =
            watch.response.take_if(|response| end - response.plan.start_offset > response.body_bytes)
        else {
            return;
        };
        watch.sent_at = Some(Instant::now());
        drop(watch);
        // The receiver is gone when the supervisor disconnected; the runner has the run all the same.
        _ = response.written.send(self.record_written(response.plan));
    }

    /// Reports that every byte of a watched response was written. Often the peer's kernel has acknowledged them by
    /// now.
    pub(super) fn record_written(&self, plan: SendPlan) -> Written {
        let (at, end) = (Instant::now(), self.written_bytes());
        let acknowledged = self.may_be_acknowledged(plan) && self.acknowledged_bytes() >= end;
        if acknowledged {
            self.acked_by_event.store(false, Ordering::Relaxed);
            _ = sys::discard_ack_event(self.stream());
        }
        Written { at, end, acknowledged }
    }

    fn may_be_acknowledged(&self, plan: SendPlan) -> bool {
        plan.ack == AckRequest::Requested && (plan.split_head || !self.acked_by_event.load(Ordering::Relaxed))
    }

    /// Called when the server drops its half: a response that hyper has not written by now can no longer be written.
    pub(super) fn release(&self) {
        drop(self.lock().response.take());
    }
}

impl SendPlan {
    /// Which part is sent next, when `written` bytes have been written on the connection.
    pub(super) const fn segment(self, written: u64) -> Segment {
        match self.ack {
            AckRequest::NotRequested => Segment::Unwatched,
            AckRequest::Requested if self.split_head && self.start_offset == written => Segment::Head,
            AckRequest::Requested => Segment::Rest,
        }
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Conn").field("peer", &self.peer).finish_non_exhaustive()
    }
}
