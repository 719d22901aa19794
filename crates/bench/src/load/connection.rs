//! A keep-alive client connection with a reused buffer.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::response::{self, Head};

/// Larger than a complete message with its head, so that a read that does not fill the buffer has read everything.
const BUFFER_BYTES: usize = 4_096;

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// The source address; `None` lets the kernel choose. A bound socket occupies a port of its own, also in
    /// `TIME_WAIT`.
    pub(crate) source: Option<Ipv4Addr>,
    pub(crate) server: SocketAddr,
}

/// A complete response; the body is borrowed from the connection's buffer.
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
}

impl Connection {
    pub(crate) async fn open(route: Route) -> Result<Self> {
        let socket = TcpSocket::new_v4().context("open a socket")?;
        socket.set_nodelay(true)?;
        if let Some(source) = route.source {
            socket
                .bind(SocketAddr::from((source, 0)))
                .with_context(|| format!("bind a socket to {source}"))?;
        }
        let stream = socket.connect(route.server).await;
        let stream = stream.with_context(|| format!("connect to {}", route.server))?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES].into() })
    }

    /// Sends one request. If the server has closed the connection, `receive` reports it.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<()> {
        match self.stream.write_all(request).await {
            Err(error) if !is_close(&error) => Err(error).context("send a request"),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Receives the response; `None` if the server closed the connection without sending a byte.
    pub(crate) async fn receive(&mut self) -> Result<Option<Response<'_>>> {
        let mut filled = 0;
        loop {
            let read = self.read_at(filled).await?;
            filled += read;
            if let Some(Head { status, body_at }) = response::find(&self.buffer[..filled])? {
                return Ok(Some(Response { status, body: &self.buffer[body_at..filled] }));
            }
            match (read, filled) {
                (0, 0) => return Ok(None),
                (0, _) => bail!("the server closed after {filled} bytes of a response"),
                (_, BUFFER_BYTES) => bail!("the response is larger than {BUFFER_BYTES} bytes"),
                _ => {}
            }
        }
    }

    /// Reads into the buffer from this position; returns the number of bytes, 0 if the server has closed the
    /// connection.
    async fn read_at(&mut self, filled: usize) -> Result<usize> {
        match self.stream.read(&mut self.buffer[filled..]).await {
            Err(error) if is_close(&error) => Ok(0),
            other => other.context("read a response"),
        }
    }
}

fn is_close(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
