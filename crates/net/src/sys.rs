//! Linux socket calls that have no safe wrapper; the only file of `net` with unsafe code. Each function is one system
//! call on a borrowed socket: it stores no pointer, and reads only bytes that the kernel reported as written.
//! `sys_fallback.rs` is its equivalent for other systems.
#![allow(unsafe_code, reason = "TCP_INFO, timestamping and the error queue have no safe wrapper")]

use std::io::{self, IoSlice};
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use libc::{c_int, c_void};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// The state of a TCP connection in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpState {
    /// Both directions are open.
    pub is_open: bool,
    /// Neither direction is open: closed, reset or timed out.
    pub is_closed: bool,
    /// Bytes we sent that the peer's kernel acknowledged.
    pub acknowledged: u64,
}

/// Keepalive: the interval of the probes to an idle peer, and how many unanswered probes close the connection.
const PROBE_EVERY: Duration = Duration::from_secs(1);
const PROBES: u32 = 2;

/// Sent data or probes that stay unacknowledged for this long close the connection (`TCP_USER_TIMEOUT`).
const USER_TIMEOUT: Duration = Duration::from_secs(3);

const ESTABLISHED: u8 = 1;
const CLOSED: u8 = 7;

/// Reads the state of a TCP connection (`TCP_INFO`).
///
/// # Errors
/// The kernel's error when the socket is not a TCP socket; `Unsupported` when the kernel is too old to count
/// acknowledged bytes.
pub fn tcp_state(socket: &impl AsFd) -> io::Result<TcpState> {
    // SAFETY: an all-zero tcp_info is valid.
    let mut info: libc::tcp_info = unsafe { zeroed() };
    let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the pointers and the length describe `info`, which outlives the call.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast::<c_void>(),
            &raw mut len,
        )
    };
    check(done)?;
    if (len as usize) < std::mem::offset_of!(libc::tcp_info, tcpi_bytes_acked) + size_of::<u64>() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(TcpState {
        is_open: info.tcpi_state == ESTABLISHED,
        is_closed: info.tcpi_state == CLOSED,
        acknowledged: info.tcpi_bytes_acked,
    })
}

/// Enables acknowledgement events for later sends on the socket (`SO_TIMESTAMPING`).
///
/// # Errors
/// The kernel's error when it does not support them.
pub fn enable_ack_events(socket: &impl AsFd) -> io::Result<()> {
    let flags =
        libc::SOF_TIMESTAMPING_SOFTWARE | libc::SOF_TIMESTAMPING_OPT_ID | libc::SOF_TIMESTAMPING_OPT_TSONLY;
    set_option(socket, libc::SO_TIMESTAMPING, &flags)
}

/// Sends, and requests an event in the error queue for when the peer's kernel has acknowledged the last byte sent.
///
/// # Errors
/// The kernel's error; `WouldBlock` when the send buffer is full.
pub fn send_with_ack_event(socket: &impl AsFd, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
    let mut control = Control::requesting_ack();
    // SAFETY: an all-zero msghdr is valid.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = bytes.as_ptr().cast_mut().cast();
    message.msg_iovlen = bytes.len() as _;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<Control>() as _;
    // SAFETY: IoSlice has the layout of iovec; everything the message points at outlives the call.
    let sent = unsafe {
        libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// One control message in the kernel's layout: header, data, and padding to the header's alignment.
#[repr(C)]
struct Control {
    head: libc::cmsghdr,
    flags: u32,
    padding: u32,
}

impl Control {
    const fn requesting_ack() -> Self {
        // SAFETY: an all-zero Control is valid.
        let mut control: Self = unsafe { zeroed() };
        control.head.cmsg_len = (std::mem::offset_of!(Self, flags) + size_of::<u32>()) as _;
        control.head.cmsg_level = libc::SOL_SOCKET;
        control.head.cmsg_type = libc::SO_TIMESTAMPING;
        control.flags = libc::SOF_TIMESTAMPING_TX_ACK;
        control
    }
}

/// Waits until the error queue may have an acknowledgement event or the socket an error, and takes one event. It can
/// also return without one.
///
/// # Errors
/// An error when the tokio runtime shuts down.
pub async fn wait_ack_event(stream: &TcpStream) -> io::Result<()> {
    stream.ready(Interest::ERROR).await?;
    _ = stream.try_io(Interest::ERROR, || {
        discard_ack_event(stream)?;
        // `WouldBlock` makes tokio clear this readiness, so that the next wait really waits. A later event sets it
        // again.
        Err::<(), _>(io::ErrorKind::WouldBlock.into())
    });
    Ok(())
}

/// Like [`send_with_ack_event`], but updates tokio's write readiness.
///
/// # Errors
/// The kernel's error; `WouldBlock` when the send buffer is full.
pub fn try_send_with_ack_event(stream: &TcpStream, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
    stream.try_io(Interest::WRITABLE, || send_with_ack_event(stream, bytes))
}

/// Makes the kernel close a connection whose peer is gone: keepalive probes make the peer answer, the user time-out
/// decides.
///
/// # Errors
/// The kernel's error.
pub fn enable_dead_peer_detection(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let probes = TcpKeepalive::new().with_time(PROBE_EVERY).with_interval(PROBE_EVERY).with_retries(PROBES);
    socket.set_tcp_keepalive(&probes)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

/// Removes one event from the error queue.
///
/// # Errors
/// `WouldBlock` when the queue is empty.
pub fn discard_ack_event(socket: &impl AsFd) -> io::Result<()> {
    let mut control = [0_u64; 32];
    // SAFETY: an all-zero msghdr is valid.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: the message points at `control` alone, which outlives the call.
    let received = unsafe {
        libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT)
    };
    usize::try_from(received).map(drop).map_err(|_| io::Error::last_os_error())
}

/// Resets a connection at once, even while other code uses it: the peer sees a reset, and every later call on the
/// socket fails.
///
/// # Errors
/// The kernel's error. Resetting a connection that is closed already is not an error.
pub fn reset(socket: &impl AsFd) -> io::Result<()> {
    // SAFETY: an all-zero sockaddr is valid; AF_UNSPEC dissolves the association (connect(2)).
    let mut unspecified: libc::sockaddr = unsafe { zeroed() };
    unspecified.sa_family = libc::AF_UNSPEC as libc::sa_family_t;
    let len = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `unspecified`, which outlives the call.
    check(unsafe { libc::connect(socket.as_fd().as_raw_fd(), &raw const unspecified, len) })
}

/// Raises the soft limit of open files to the hard limit and returns it.
///
/// # Errors
/// The kernel's error.
pub fn raise_open_file_limit() -> io::Result<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to `limit`, which outlives both calls.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
}

fn set_option<T>(socket: &impl AsFd, name: c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    check(unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            std::ptr::from_ref(value).cast::<c_void>(),
            len,
        )
    })
}

fn check(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
