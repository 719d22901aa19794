//! What stands in for `sys.rs` on systems other than Linux: there the kernel does not tell of acknowledgements, so
//! a delivery stays unconfirmed. Dead peers are found by keepalive alone.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

/// How often an idle peer is asked whether it is there.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// What can be known of a connection here: nothing, so it is taken for open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpState {
    /// Both directions are open.
    pub is_open: bool,
    /// Neither is.
    pub is_closed: bool,
    /// Bytes acknowledged.
    pub acknowledged: u64,
}

/// Open, as far as is known.
///
/// # Errors
/// None.
pub fn tcp_state(_socket: &impl AsFd) -> io::Result<TcpState> {
    Ok(TcpState { is_open: true, is_closed: false, acknowledged: 0 })
}

/// This kernel cannot.
///
/// # Errors
/// Always.
pub fn enable_ack_events(_socket: &impl AsFd) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// This kernel cannot.
///
/// # Errors
/// Always.
pub fn send_with_ack_event(_socket: &impl AsFd, _bytes: &[IoSlice<'_>]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Sends without asking for anything.
///
/// # Errors
/// The kernel's.
pub fn try_send_with_ack_event(stream: &TcpStream, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
    stream.try_write_vectored(bytes)
}

/// This kernel has none.
///
/// # Errors
/// Always.
pub fn discard_ack_event(_socket: &impl AsFd) -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// This kernel has none.
///
/// # Errors
/// Always.
pub async fn wait_ack_event(_stream: &TcpStream) -> io::Result<()> {
    std::future::pending().await
}

/// Lets the kernel forget a peer that does not answer probes.
///
/// # Errors
/// The kernel's.
pub fn enable_dead_peer_detection(stream: &TcpStream) -> io::Result<()> {
    let probes = TcpKeepalive::new().with_time(PROBE_EVERY);
    SockRef::from(stream).set_tcp_keepalive(&probes)
}

/// Closes without lingering: a reset where the kernel sends one.
///
/// # Errors
/// The kernel's.
pub fn reset(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_linger(Some(Duration::ZERO))?;
    socket.shutdown(std::net::Shutdown::Both)
}

/// The open files that are believed to be possible.
///
/// # Errors
/// None.
pub fn raise_open_file_limit() -> io::Result<usize> {
    Ok(1024)
}
