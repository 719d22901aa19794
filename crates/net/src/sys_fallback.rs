//! Replaces `sys.rs` on systems other than Linux. Their kernels do not report TCP acknowledgements, so every delivery
//! is `unconfirmed`. Only keepalive finds dead peers.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// The interval of the keepalive probes to an idle peer.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// The state of a TCP connection. It cannot be read here, so every connection is reported as open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpState {
    /// Both directions are open.
    pub is_open: bool,
    /// Neither direction is open.
    pub is_closed: bool,
    /// Bytes we sent that the peer's kernel acknowledged: always 0.
    pub acknowledged: u64,
}

/// Reports the connection as open.
///
/// # Errors
/// Never.
pub fn tcp_state(_socket: &impl AsFd) -> io::Result<TcpState> {
    Ok(TcpState { is_open: true, is_closed: false, acknowledged: 0 })
}

/// Not supported on this system.
///
/// # Errors
/// Always.
pub fn enable_ack_events(_socket: &impl AsFd) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not supported on this system.
///
/// # Errors
/// Always.
pub fn send_with_ack_event(_socket: &impl AsFd, _bytes: &[IoSlice<'_>]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Sends without requesting an event.
///
/// # Errors
/// The kernel's error.
pub fn try_send_with_ack_event(stream: &TcpStream, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
    stream.try_write_vectored(bytes)
}

/// There are no events on this system.
///
/// # Errors
/// Always.
pub fn discard_ack_event(_socket: &impl AsFd) -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// There are no events on this system: waits for ever.
///
/// # Errors
/// Never.
pub async fn wait_ack_event(_stream: &TcpStream) -> io::Result<()> {
    std::future::pending().await
}

/// Makes the kernel close a connection whose peer does not answer keepalive probes.
///
/// # Errors
/// The kernel's error.
pub fn enable_dead_peer_detection(stream: &TcpStream) -> io::Result<()> {
    let probes = TcpKeepalive::new().with_time(PROBE_EVERY);
    SockRef::from(stream).set_tcp_keepalive(&probes)
}

/// Closes the connection without lingering; where the kernel supports it, the peer sees a reset.
///
/// # Errors
/// The kernel's error.
pub fn reset(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_linger(Some(Duration::ZERO))?;
    socket.shutdown(std::net::Shutdown::Both)
}

/// The assumed limit of open files.
///
/// # Errors
/// Never.
pub fn raise_open_file_limit() -> io::Result<usize> {
    Ok(1024)
}
