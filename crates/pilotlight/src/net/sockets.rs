//! Listening sockets: opened by us, or handed over by whoever started us (`LISTEN_FDS`), so that a restart leaves no
//! moment in which nobody listens.

use std::io;
use std::net::SocketAddr;

use listenfd::ListenFd;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections the kernel keeps ready for us; a fleet that comes back at once is thousands.
const BACKLOG: i32 = 4096;

/// A socket that listens.
#[derive(Debug)]
pub struct BoundListener {
    /// The socket.
    pub socket: TcpListener,
    /// Where.
    pub address: SocketAddr,
    /// Whose it is.
    pub owner: SocketOwner,
}

/// Who will go on listening when we stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketOwner {
    /// Nobody on this socket: what waits in it is lost with it.
    ThisProcess,
    /// Whoever handed it over.
    OtherProcess,
}

/// Whether another process may listen on the same address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReusePort {
    /// Yes.
    On,
    /// No.
    Off,
}

/// The sockets that were handed over, in the order in which they are asked for.
pub struct InheritedSockets(ListenFd);

impl std::fmt::Debug for InheritedSockets {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Inherited({})", self.0.len())
    }
}

impl InheritedSockets {
    /// What systemd, or the process before, handed over.
    #[must_use]
    pub fn from_environment() -> Self {
        Self(ListenFd::from_env())
    }

    /// The socket of this place, or none.
    ///
    /// # Errors
    /// When what stands there is no listening TCP socket.
    pub fn take(&mut self, index: usize) -> io::Result<Option<BoundListener>> {
        if index >= self.0.len() {
            return Ok(None);
        }
        let Some(socket) = self.0.take_tcp_listener(index)? else { return Ok(None) };
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        Ok(Some(BoundListener { address: socket.local_addr()?, socket, owner: SocketOwner::OtherProcess }))
    }
}

/// Opens a listening socket.
///
/// # Errors
/// The kernel's: the address is in use, or is not ours.
pub fn bind(address: SocketAddr, reuse_port: ReusePort) -> io::Result<BoundListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if reuse_port == ReusePort::On {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from_std(socket.into())?;
    Ok(BoundListener { address: socket.local_addr()?, socket, owner: SocketOwner::ThisProcess })
}
