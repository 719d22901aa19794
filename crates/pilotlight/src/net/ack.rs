//! The acknowledgement of the peer's kernel, as something to wait for; and whether this platform can tell it.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use tokio::io::Interest;

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
    /// Waits until the peer's kernel acknowledged the first `end` bytes of this connection, or never will.
    /// It does not time out; dropping it changes nothing.
    ///
    /// The event only says when to look. What counts is the kernel's number: an empty send queue is no proof,
    /// and an event may be an error's.
    pub async fn acknowledged(&self, end: u64) -> Acked {
        loop {
            match self.state() {
                Some(state) if state.acknowledged >= end => return Acked::Yes,
                Some(state) if !state.is_closed => {}
                Some(_) | None => return Acked::Never,
            }
            if self.stream().ready(Interest::ERROR).await.is_err() {
                return Acked::Never;
            }
            // When the queue is empty, this clears the readiness, so that the next wait is one.
            _ = self.stream().try_io(Interest::ERROR, || sys::drop_ack_event(self.stream()));
        }
    }
}

/// Tries on a connection to ourselves whether the kernel tells of acknowledgements. Takes a millisecond; half a
/// second where it does not.
#[must_use]
pub fn kernel_can_tell() -> bool {
    try_on_loopback().unwrap_or_else(|error| {
        tracing::debug!(%error, "failed to try acknowledgements");
        false
    })
}

const TRY_FOR: Duration = Duration::from_millis(500);

fn try_on_loopback() -> io::Result<bool> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    sys::allow_ack_events(&server)?;
    sys::send_for_ack(&server, &[io::IoSlice::new(b"?")])?;
    let until = Instant::now() + TRY_FOR;
    let told = (0..).any(|_| {
        std::thread::sleep(Duration::from_micros(500));
        sys::drop_ack_event(&server).is_ok() || Instant::now() > until
    });
    (&client).flush()?;
    Ok(told && Instant::now() <= until && sys::tcp_state(&server)?.acknowledged == 1)
}
