//! Waits for the acknowledgement of the peer's kernel, and tests whether this platform reports acknowledgements.

use std::io::{self, IoSlice};
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::conn::Conn;
use super::sys;

/// How a wait for an acknowledgement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckWait {
    /// The peer's kernel has every byte.
    Acknowledged,
    /// The connection ended before that.
    ConnectionEnded,
}

impl Conn {
    /// Waits until the peer's kernel has acknowledged the first `end` bytes of this connection, or the connection has
    /// ended. The caller must first check that they are not acknowledged already. There is no time-out; dropping the
    /// future changes nothing.
    ///
    /// An event is only the signal to read the kernel's counter of acknowledged bytes. The counter decides: an empty
    /// send queue is no proof, and the event may be that of an error.
    pub async fn wait_acknowledged(&self, end: u64) -> AckWait {
        while sys::wait_ack_event(self.stream()).await.is_ok() {
            match self.state() {
                Some(state) if state.acknowledged >= end => return AckWait::Acknowledged,
                Some(state) if !state.is_closed => {}
                Some(_) | None => return AckWait::ConnectionEnded,
            }
        }
        AckWait::ConnectionEnded
    }
}

/// Tests, on a loopback connection, whether the kernel reports acknowledgements. This takes a millisecond, or half a
/// second where the kernel does not.
pub async fn kernel_reports_acks() -> bool {
    match timeout(PROBE_TIMEOUT, probe_on_loopback()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!(%error, "failed to test whether the kernel reports acknowledgements");
            false
        }
        Err(_) => false,
    }
}

const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

async fn probe_on_loopback() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    let (_client, (server, _)) = (client?, accepted?);
    sys::enable_ack_events(&server)?;
    server.writable().await?;
    sys::try_send_with_ack_event(&server, &[IoSlice::new(b"?")])?;
    loop {
        sys::wait_ack_event(&server).await?;
        if sys::tcp_state(&server)?.acknowledged == 1 {
            return Ok(());
        }
    }
}
