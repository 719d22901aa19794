//! How the floors listen, and how whoever started them learns where.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::net::{TcpListener, TcpSocket};

/// A fleet that connects at once must not wait for SYNs to be sent again.
const BACKLOG: u32 = 4_096;

/// On the loopback address; port 0 takes a free one.
pub(crate) fn listen(port: u16) -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket.listen(BACKLOG)?)
}

/// The first line on stdout tells the address.
pub(crate) fn announce(address: SocketAddr) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on {address}")?;
    Ok(stdout.flush()?)
}
