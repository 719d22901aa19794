//! The listening socket of the floors, and the line that tells the parent process its address.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::net::{TcpListener, TcpSocket};

/// Large enough for a fleet that connects at once: no connection must wait for a repeated SYN.
const BACKLOG: u32 = 4_096;

/// Listens on the loopback address; port 0 chooses a free port.
pub(crate) fn listen(port: u16) -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket.listen(BACKLOG)?)
}

/// Prints the address as the first line on stdout.
pub(crate) fn announce(address: SocketAddr) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on {address}")?;
    Ok(stdout.flush()?)
}
