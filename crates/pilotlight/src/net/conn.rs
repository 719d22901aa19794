//! A connection that can be asked what became of its bytes. Whoever serves it holds one end ([`Io`](super::io::Io)),
//! whoever wants to know holds the other ([`Conn`]), so the kernel can be asked after HTTP has let go. It never
//! copies the descriptor: that would hold the close back.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use pilotlight_core::limits::UNREAD_WINDOW;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::deadlines::{Deadline, Deadlines};
use super::io::Io;
use super::reset_watch::ResetWatch;
use super::sys;

/// What is called when a run that was acknowledged turns out unread.
type OnUnread = Box<dyn FnOnce() + Send>;

/// An accepted connection.
pub struct Conn {
    socket: OwnedWriteHalf,
    peer: SocketAddr,
    transport: Transport,
    written: AtomicU64,
    // Whether `watch` has anything to see; spares the lock on all other reads and writes.
    watched: AtomicBool,
    watch: Mutex<ResponseWatch>,
    // Sends of the last watched answer that asked for an event.
    ack_events_requested: AtomicU64,
    // How many more answers go in two segments, because the peer's acknowledgements come late.
    split_heads_left: AtomicU8,
    // Whether the last acknowledgement was told by an event: then the next is hardly there any sooner.
    acked_by_event: AtomicBool,
    deadline: Deadline,
    shared: Shared,
}

/// What lies between the socket and whoever serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Nothing.
    Tcp,
    /// TLS.
    Tls,
}

/// What all connections share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) reset_watch: Arc<ResetWatch>,
    pub(super) deadlines: Arc<Deadlines>,
}

/// Every byte of a watched answer is written.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// When.
    pub at: Instant,
    /// Bytes written on this connection up to its end.
    pub end: u64,
    /// Whether the peer's kernel acknowledged them all while they were written.
    pub acknowledged: bool,
}

/// Whether the kernel is asked to tell of the acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckRequest {
    /// Yes.
    Requested,
    /// No: written is all we want to know.
    NotRequested,
}

/// Fine enough for a poll that is only counted until it is chosen, when it is asked for again.
const PEER_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// An acknowledgement that takes longer is late: a kernel that does not hold it back sends it at once. So may a
/// link be; a second segment does not harm there.
const LATE_ACK_AFTER: Duration = Duration::from_millis(1);

/// How many answers are hurried then, before it is tried again without.
const SPLIT_HEAD_RESPONSES: u8 = 64;

/// How an answer is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct SendPlan {
    ack: AckRequest,
    split_head: bool,
    start_offset: u64,
}

/// Which portion of an answer is sent at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment {
    /// As much as goes; nothing is asked of the kernel.
    Unwatched,
    /// The first piece alone.
    Head,
    /// As much as goes, and the kernel is to tell of its acknowledgement.
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
    /// Splits a connection into its two ends.
    pub(super) fn open(
        stream: TcpStream,
        peer: SocketAddr,
        transport: Transport,
        shared: Shared,
    ) -> (Arc<Self>, Io) {
        let (reader, socket) = stream.into_split();
        let conn = Arc::new(Self {
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
            shared,
        });
        let io = Io::new(Arc::clone(&conn), reader);
        (conn, io)
    }

    /// Who connected.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether what is sent on it is sealed by TLS.
    pub fn is_tls(&self) -> bool {
        self.transport == Transport::Tls
    }

    pub(super) fn stream(&self) -> &TcpStream {
        self.socket.as_ref()
    }

    /// What the kernel knows; `None` when it cannot be asked, which is as good as closed.
    pub fn state(&self) -> Option<sys::TcpState> {
        sys::tcp_state(self.stream()).ok()
    }

    /// Bytes that the peer's kernel acknowledged so far.
    pub fn acknowledged_bytes(&self) -> u64 {
        self.state().map_or(0, |state| state.acknowledged)
    }

    /// Waits until the peer has closed its side, or all of it. HTTP's machinery does not notice that while bytes that
    /// came after the request are unread, so this asks the kernel a few times a second.
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

    /// The peer must have sent its next request's head within this time, or reading ends; sooner when the service
    /// stops and nothing of it has come.
    pub fn set_request_deadline(&self, time: Duration) {
        self.deadline.set_idle(true);
        self.deadline.set(&self.shared.deadlines, time);
    }

    /// A part of the request has come.
    pub fn mark_request_started(&self) {
        self.deadline.set_idle(false);
    }

    /// The peer must have sent what is expected of it within this time, or reading ends.
    pub fn set_read_deadline(&self, time: Duration) {
        self.deadline.set(&self.shared.deadlines, time);
    }

    /// Nothing is expected of the peer.
    pub fn clear_read_deadline(&self) {
        self.deadline.clear();
    }

    /// Whether reading ended because the peer took too long, or because the service stops.
    pub fn deadline_passed(&self) -> bool {
        self.deadline.is_passed()
    }

    /// Whether the connection is to end once its request is answered.
    pub fn should_close(&self) -> bool {
        self.shared.deadlines.is_stopping()
    }

    pub(super) const fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Whoever reads finds the end.
    pub(super) fn shutdown_read(&self) {
        // A connection that is gone already has ended.
        _ = SockRef::from(self.stream()).shutdown(Shutdown::Read);
    }

    /// Watches the answer that HTTP writes next, with a body of so many bytes. `written` is told when every byte
    /// is with the kernel, and dropped when that will never be.
    pub fn watch_response(&self, body_bytes: usize, ack: AckRequest, written: oneshot::Sender<Written>) {
        let plan = self.make_plan(ack);
        let response = WatchedResponse { plan, body_bytes: body_bytes as u64, written };
        self.start_watch(ack, Some(response), None);
    }

    /// Watches the answer that is written past HTTP next. The peer may use the connection again before that
    /// returns, so it counts as sent from now on.
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

    /// Calls `callback` when the peer resets the connection without having used it again since the last watched
    /// answer. That may be now.
    pub fn when_unread(&self, callback: impl FnOnce() + Send + 'static) {
        let mut watch = self.lock();
        if watch.was_reset {
            drop(watch);
            callback();
        } else if watch.sent_at.is_some() {
            watch.on_unread = Some(Box::new(callback));
        }
    }

    /// A large answer asks for many events, and they wake its waiter together. What it left would fill the queue.
    fn discard_old_events(&self) {
        if self.ack_events_requested.swap(0, Ordering::Relaxed) > 1 {
            while sys::discard_ack_event(self.stream()).is_ok() {}
        }
    }

    /// The peer used the connection again, or closed it in good order.
    pub(super) fn mark_used(&self) {
        let mut watch = self.lock();
        watch.sent_at = None;
        watch.on_unread = None;
        if watch.response.is_none() {
            self.watched.store(false, Ordering::Release);
        }
    }

    /// The peer reset the connection.
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

    /// When the last watched answer was sent, unless the peer has shown since that it is alive.
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

    /// Sends a portion of an answer, in one system call.
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

    /// Which portion of HTTP's answer is sent next.
    pub(super) fn next_segment(&self) -> Segment {
        if !self.is_watched() {
            return Segment::Unwatched;
        }
        match &self.lock().response {
            Some(response) => response.plan.segment(self.written_bytes()),
            None => Segment::Unwatched,
        }
    }

    /// The peer's kernel took so long to acknowledge an answer. One that answers what it received soon after hopes
    /// to send its acknowledgement along, and holds it back for up to 40 ms. Two segments in a row end that, so
    /// the next answers' heads go alone (docs/decisions/0002).
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

    /// HTTP has nothing more to write at this moment.
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
        // Nobody listens when the supervisor left; the runner has the run all the same.
        _ = response.written.send(self.record_written(response.plan));
    }

    /// Every byte of a watched answer was written; often the peer's kernel has them by now.
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

    /// Whoever serves the connection has let go of it: an answer that HTTP has not written by now never will be.
    pub(super) fn release(self: &Arc<Self>) {
        drop(self.lock().response.take());
        self.shared.reset_watch.watch(self);
    }
}

impl SendPlan {
    /// Which portion is sent next, when so much is written on the connection.
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
