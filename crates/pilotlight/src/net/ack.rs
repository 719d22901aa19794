//! The acknowledgement of the peer's kernel, as something to wait for; and whether this platform can tell it.

use std::io::{self, IoSlice};
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::conn::Conn;
use super::sys;

/// How a wait for an acknowledgement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acked {
    /// The peer's kernel has every byte.
    Yes,
    /// The connection ended before.
    Never,
}

impl Conn {
    /// Waits until the peer's kernel acknowledged the first `end` bytes of this connection, or never will; to be
    /// called once the number has been looked at. It does not time out; dropping it changes nothing.
    ///
    /// The event only says when to look again. What counts is the kernel's number: an empty send queue is no
    /// proof, and an event may be an error's.
    pub async fn acknowledged(&self, end: u64) -> Acked {
        while sys::ack_event(self.stream()).await.is_ok() {
            match self.state() {
                Some(state) if state.acknowledged >= end => return Acked::Yes,
                Some(state) if !state.is_closed => {}
                Some(_) | None => return Acked::Never,
            }
        }
        Acked::Never
    }
}

/// Tries on a connection to ourselves whether the kernel tells of acknowledgements. Takes a millisecond; half a
/// second where it does not.
pub async fn kernel_can_tell() -> bool {
    match timeout(TRY_FOR, try_on_loopback()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!(%error, "failed to try acknowledgements");
            false
        }
        Err(_) => false,
    }
}

const TRY_FOR: Duration = Duration::from_millis(500);

async fn try_on_loopback() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let (client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    let (_client, (server, _)) = (client?, accepted?);
    sys::allow_ack_events(&server)?;
    server.writable().await?;
    sys::try_send_for_ack(&server, &[IoSlice::new(b"?")])?;
    loop {
        sys::ack_event(&server).await?;
        if sys::tcp_state(&server)?.acknowledged == 1 {
            return Ok(());
        }
    }
}
