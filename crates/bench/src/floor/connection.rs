//! One connection of the floor: reads requests and answers them, one at a time.
//!
//! The task of the offer writes the run directly to the poll's socket. Waking the poll's task to write it was measured
//! and is slower.

use std::io;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::match_maker::{MatchMaker, Poll};
use super::request::{self, Request};

/// The initial size of the read buffer: enough for a poll's request. An offer makes it grow once.
const INBOX_BYTES: usize = 1_024;

const WARM: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 21\r\n\r\n{\"didWarmStart\":true}";
const COLD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 22\r\n\r\n{\"didWarmStart\":false}";

/// Serves until the client closes. An error just ends the connection: the floor logs nothing.
pub(super) async fn serve(stream: TcpStream, match_maker: Arc<MatchMaker>) {
    let (mut reader, writer) = stream.into_split();
    let writer = Arc::new(writer);
    let mut inbox = Vec::with_capacity(INBOX_BYTES);
    let mut outbox = Vec::new();
    while reader.read_buf(&mut inbox).await.is_ok_and(|bytes| bytes > 0) {
        match request::find(&inbox) {
            None => continue,
            Some(Request::Poll { deployment }) => match_maker.park(deployment, writer.clone()),
            Some(Request::Offer { deployment, run }) => {
                let answer = match match_maker.take_newest(deployment) {
                    Some(poll) if hand_over(&poll, run, &mut outbox).await.is_ok() => WARM,
                    Some(_) | None => COLD,
                };
                if write(&writer, answer).await.is_err() {
                    return;
                }
            }
        }
        inbox.clear();
    }
}

async fn hand_over(poll: &Poll, run: &[u8], outbox: &mut Vec<u8>) -> io::Result<()> {
    outbox.clear();
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
    outbox.extend_from_slice(head);
    io::Write::write_fmt(outbox, format_args!("{}\r\n\r\n", run.len()))?;
    outbox.extend_from_slice(run);
    write(poll, outbox).await
}

async fn write(socket: &OwnedWriteHalf, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
