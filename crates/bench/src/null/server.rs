//! Accepts connections and answers what comes in on them; every connection is its own task.

use std::sync::Arc;

use anyhow::{Context, Result};
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::JoinSet;

use super::answers::Answers;
use crate::listener::{announce, listen};
use crate::scan::content_length;

/// Holds every request of the jobs' calls.
const INBOX_BYTES: usize = 4_096;

/// Serves on the loopback address until the process is killed, on as many threads as the real server takes: one for
/// each core it may use. The first line on stdout tells the address.
pub(crate) fn serve(port: u16) -> Result<()> {
    let runtime = runtime::Builder::new_multi_thread().enable_io().build()?;
    runtime.block_on(runtime.spawn(listen_and_accept(port)))?
}

async fn listen_and_accept(port: u16) -> Result<()> {
    let listener = listen(port).with_context(|| format!("listen on port {port}"))?;
    announce(listener.local_addr()?)?;
    accept(listener).await
}

async fn accept(listener: TcpListener) -> Result<()> {
    let answers = Arc::new(Answers::new());
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.context("accept a connection")?;
        stream.set_nodelay(true)?;
        connections.spawn(answer_all(stream, answers.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Until the client closes. A failing connection just ends: the floor has nobody to tell.
async fn answer_all(mut stream: TcpStream, answers: Arc<Answers>) {
    let mut inbox = Vec::with_capacity(INBOX_BYTES);
    while stream.read_buf(&mut inbox).await.is_ok_and(|bytes| bytes > 0) {
        let Some((head, body)) = whole(&inbox) else { continue };
        if stream.write_all(answers.to(head, body)).await.is_err() {
            return;
        }
        inbox.clear();
    }
}

/// Head and body of the request at the start of `bytes`, once they are there.
fn whole(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, body) = bytes.split_at(memmem::find(bytes, b"\r\n\r\n")? + 4);
    Some((head, body.get(..content_length(head).unwrap_or(0))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::caller::Caller;
    use crate::jobs::calls::Numbers;

    #[tokio::test]
    async fn every_call_of_a_life_cycle_is_answered() -> Result<()> {
        let listener = listen(0)?;
        let server = listener.local_addr()?;
        let mut null = JoinSet::new();
        null.spawn(accept(listener));
        let mut caller = Caller::connect(server, Numbers::default()).await?;
        caller.life_cycle().await?;
        caller.ask_known(7).await
    }

    #[test]
    fn a_request_is_whole_with_the_last_byte_of_its_body() {
        let bytes = b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}";
        for length in 0..bytes.len() {
            assert_eq!(whole(&bytes[..length]), None, "{length} bytes");
        }
        assert!(whole(bytes).is_some());
    }
}
