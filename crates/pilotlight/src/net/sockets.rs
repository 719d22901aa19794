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
pub struct Listening {
    /// The socket.
    pub socket: TcpListener,
    /// Where.
    pub address: SocketAddr,
    /// Whose it is.
    pub owner: Owner,
}

/// Who will go on listening when we stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Nobody on this socket: what waits in it is lost with it.
    Us,
    /// Whoever handed it over.
    Another,
}

/// Whether another process may listen on the same address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Yes.
    Port,
    /// No.
    No,
}

/// The sockets that were handed over, in the order in which they are asked for.
pub struct Inherited(ListenFd);

impl std::fmt::Debug for Inherited {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Inherited({})", self.0.len())
    }
}

impl Inherited {
    /// What systemd, or the process before, handed over.
    #[must_use]
    pub fn from_environment() -> Self {
        Self(ListenFd::from_env())
    }

    /// The socket of this place, or none.
    ///
    /// # Errors
    /// When what stands there is no listening TCP socket.
    pub fn take(&mut self, place: usize) -> io::Result<Option<Listening>> {
        if place >= self.0.len() {
            return Ok(None);
        }
        let Some(socket) = self.0.take_tcp_listener(place)? else { return Ok(None) };
        socket.set_nonblocking(true)?;
        let socket = TcpListener::from_std(socket)?;
        Ok(Some(Listening { address: socket.local_addr()?, socket, owner: Owner::Another }))
    }
}

/// Opens a listening socket.
///
/// # Errors
/// The kernel's: the address is in use, or is not ours.
pub fn bind(address: SocketAddr, sharing: Sharing) -> io::Result<Listening> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if sharing == Sharing::Port {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let socket = TcpListener::from_std(socket.into())?;
    Ok(Listening { address: socket.local_addr()?, socket, owner: Owner::Us })
}
