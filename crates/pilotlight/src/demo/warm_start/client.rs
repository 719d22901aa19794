//! A minimal HTTP/1.1 client for the scene: one request at a time on a keep-alive connection.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// A connection to the service.
pub(super) struct HttpConnection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl HttpConnection {
    pub(super) async fn connect(service: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(service).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Connects with the smallest receive buffer, so that the kernel accepts almost no bytes that the program does not
    /// read.
    pub(super) async fn connect_with_small_buffer(service: SocketAddr) -> io::Result<Self> {
        let socket = if service.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_recv_buffer_size(1)?;
        let stream = socket.connect(service).await?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends a request without waiting for the response.
    pub(super) async fn send(&mut self, head: &str, body: &[u8]) -> io::Result<()> {
        let mut request = Vec::with_capacity(head.len() + body.len() + 64);
        request.extend_from_slice(head.as_bytes());
        request.extend_from_slice(
            format!("host: localhost\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(),
        );
        request.extend_from_slice(body);
        self.stream.write_all(&request).await
    }

    /// Reads one response and returns its body.
    pub(super) async fn answer(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some((head, body)) = response_lengths(&self.buffer) {
                let answer = self.buffer[head..head + body].to_vec();
                self.buffer.drain(..head + body);
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The lengths of the head and the body of a complete response; `None` while it is incomplete.
fn response_lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let body = length.trim().parse().ok()?;
    (bytes.len() >= head + body).then_some((head, body))
}
