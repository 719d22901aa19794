//! Listening sockets: opened by this process, or inherited from the process that started it (`LISTEN_FDS`). With an
//! inherited socket, connections are accepted without a gap during a restart.

use std::io;
use std::net::SocketAddr;

use listenfd::ListenFd;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// How many connections the kernel queues until they are accepted. A fleet of thousands of runners can reconnect at
/// once.
const BACKLOG: i32 = 4096;

/// A listening socket.
#[derive(Debug)]
pub struct BoundListener {
    /// The socket.
    pub socket: TcpListener,
    /// The address it listens on.
    pub address: SocketAddr,
    /// Which process owns it.
    pub owner: SocketOwner,
}

/// Which process owns a listening socket, and so what happens to its backlog when this process stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketOwner {
    /// This process opened it: connections left in the backlog are lost when it stops.
    ThisProcess,
    /// Another process passed it to this one and keeps it open.
    OtherProcess,
}

/// Whether another process may listen on the same address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReusePort {
    /// Other processes may bind it too (`SO_REUSEPORT`).
    On,
    /// Only this process may bind it.
    Off,
}

/// The inherited listening sockets, in the order in which they were passed.
pub struct InheritedSockets(ListenFd);

impl std::fmt::Debug for InheritedSockets {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "InheritedSockets({})", self.0.len())
    }
}

impl InheritedSockets {
    /// The sockets that systemd or the previous process passed.
    #[must_use]
    pub fn from_environment() -> Self {
        Self(ListenFd::from_env())
    }

    /// Takes the inherited socket at `index`; `None` when there is none.
    ///
    /// # Errors
    /// When the descriptor at `index` is not a listening TCP socket.
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
/// The kernel's error: the address is in use, or does not belong to this machine.
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
