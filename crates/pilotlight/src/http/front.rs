//! The front before HTTP's machinery: it serves the warm-start protocol's plain requests by itself, one at a time
//! on a connection, and leaves everything else to that machinery, with the bytes it read put back.
//!
//! A parked poll costs a fraction of the memory here, and whoever has its run writes it straight to its socket
//! (docs/decisions/0003). Nothing depends on the front for being right: every path is served behind it as well.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use pilotlight_core::ids::Runner;
use pilotlight_core::limits::{BODY_TIMEOUT, HEAD_TIMEOUT};
use pilotlight_core::pool::PoolKey;
use pilotlight_core::trace_context::TraceParent;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::{Keeping, Refusal, Reply, head};
use super::router::Handles;
use super::{health, warm_start};
use crate::dispatch::park::{Parked, Stay, Verdict, Way};
use crate::net::conn::Conn;
use crate::net::io::Io;
use crate::net::listener::FastPathExit;

mod plain;

pub use plain::is_poll;
use plain::{Plain, Read};

const PIPELINED: &str = "a poll is the last thing sent until it is answered";
const BROKEN_HEAD: &str = "the head is no HTTP head, or has more than 16 KiB or 100 headers";

/// More than a usual head, so that one read takes it.
const READ_BYTES: usize = 2048;

/// Serves plain requests until the connection ends, or something else comes.
pub async fn serve(handles: &Handles, conn: &Arc<Conn>, io: &mut Io) -> FastPathExit {
    if !handles.auth.needs_no_look(conn.peer().ip()) {
        return FastPathExit::ForHttp;
    }
    let mut front = Front { handles, conn, io, inbox: BytesMut::new() };
    loop {
        let next = match front.request().await {
            Request::Plain(plain) => front.answer(plain).await,
            Request::Other => {
                front.io.put_back(front.inbox.freeze());
                return FastPathExit::ForHttp;
            }
            Request::BrokenPoll => front.refuse_for_good(BROKEN_HEAD).await,
            Request::None => Next::Close,
        };
        if next == Next::Close || conn.should_close() {
            return FastPathExit::Closed;
        }
    }
}

struct Front<'a> {
    handles: &'a Handles,
    conn: &'a Arc<Conn>,
    io: &'a mut Io,
    inbox: BytesMut,
}

enum Request {
    Plain(Plain),
    Other,
    BrokenPoll,
    /// The connection ended, or took too long.
    None,
}

#[derive(PartialEq, Eq)]
enum Next {
    Request,
    Close,
}

impl Front<'_> {
    async fn request(&mut self) -> Request {
        self.conn.set_request_deadline(HEAD_TIMEOUT);
        loop {
            if !self.inbox.is_empty() {
                self.conn.mark_request_started();
                match plain::read(&self.inbox) {
                    Read::Plain(plain, length) => {
                        self.inbox.advance(length);
                        self.conn.clear_read_deadline();
                        return Request::Plain(plain);
                    }
                    Read::Other => return Request::Other,
                    Read::BrokenPoll => return Request::BrokenPoll,
                    Read::Incomplete => {}
                }
            }
            self.inbox.reserve(READ_BYTES);
            if !matches!(self.io.read_buf(&mut self.inbox).await, Ok(1..)) {
                return Request::None;
            }
        }
    }

    async fn answer(&mut self, request: Plain) -> Next {
        match request {
            Plain::Connect => self.reply(health::told(self.handles)).await,
            Plain::Poll(Ok((key, runner))) => match self.handles.tokens.admit(key) {
                Ok(key) => self.poll(key, runner).await,
                Err(refusal) => self.reply(refusal.into()).await,
            },
            Plain::Poll(Err(refusal)) => self.reply(refusal.into()).await,
            // Boxed, so that parked polls do not carry its size.
            Plain::Offer { body_bytes, trace } => Box::pin(self.offer(body_bytes, trace)).await,
        }
    }

    async fn reply(&mut self, reply: Reply) -> Next {
        let keeping = if self.conn.should_close() { Keeping::Close } else { Keeping::Open };
        let mut bytes = head(reply.status, reply.body.len(), keeping);
        bytes.extend_from_slice(&reply.body);
        match self.io.write_all(&bytes).await {
            Ok(()) => Next::Request,
            Err(_) => Next::Close,
        }
    }

    async fn offer(&mut self, body_bytes: usize, trace: Option<TraceParent>) -> Next {
        let handles = self.handles;
        let _room = match handles.room.take(body_bytes) {
            Ok(room) => room,
            Err(refusal) => {
                _ = self.reply(warm_start::offered(handles, Err(refusal), None).await).await;
                // Its body is on its way.
                return Next::Close;
            }
        };
        let reply = match self.body(body_bytes).await {
            Some(body) => warm_start::offered(self.handles, Ok(body), trace).await,
            None if self.conn.deadline_passed() => {
                let refusal = Refusal::too_slow(BODY_TIMEOUT);
                _ = self.reply(warm_start::offered(self.handles, Err(refusal), None).await).await;
                return Next::Close;
            }
            None => return Next::Close,
        };
        self.reply(reply).await
    }

    /// `None` when it does not come whole.
    async fn body(&mut self, bytes: usize) -> Option<Bytes> {
        self.conn.set_read_deadline(BODY_TIMEOUT);
        while self.inbox.len() < bytes {
            self.inbox.reserve(READ_BYTES);
            if !matches!(self.io.read_buf(&mut self.inbox).await, Ok(1..)) {
                return None;
            }
        }
        self.conn.clear_read_deadline();
        Some(self.inbox.split_to(bytes).freeze())
    }

    async fn poll(&mut self, key: PoolKey, runner: Runner) -> Next {
        if !self.inbox.is_empty() {
            return self.refuse_for_good(PIPELINED).await;
        }
        self.inbox = BytesMut::new();
        let parked = self.handles.dispatcher.park(key, runner, Arc::clone(self.conn), Way::Direct);
        let verdict = match parked {
            Parked::Stay(stay) => match self.wait(stay).await {
                Waited::Over(verdict) => verdict,
                Waited::Gone => None,
                Waited::Pipelined => return self.refuse_for_good(PIPELINED).await,
            },
            Parked::Retired => Some(Verdict::Retired),
            Parked::Closed => None,
        };
        match verdict {
            Some(Verdict::Answered) => Next::Request,
            Some(Verdict::Retired) => self.reply(Refusal::retired().into()).await,
            Some(Verdict::Run(_)) | None => Next::Close,
        }
    }

    async fn wait(&mut self, mut stay: Stay) -> Waited {
        loop {
            if let Some(verdict) = poll_fn(|cx| self.verdict_or_bytes(&mut stay, cx)).await {
                return Waited::Over(verdict);
            }
            match self.io.try_read(&mut self.inbox) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) | Ok(0) => return Waited::Gone,
                Ok(_) if stay.leave() => return Waited::Pipelined,
                // The run is written already, and this is the next request.
                Ok(_) => return Waited::Over(stay.verdict().await),
            }
        }
    }

    /// `None` when there may be something to read.
    fn verdict_or_bytes(&self, stay: &mut Stay, cx: &mut Context<'_>) -> Poll<Option<Option<Verdict>>> {
        if let Poll::Ready(verdict) = stay.poll_verdict(cx) {
            return Poll::Ready(Some(verdict));
        }
        self.io.poll_readable(cx).map(|()| None)
    }

    /// What follows cannot be told apart any more.
    async fn refuse_for_good(&mut self, why: &str) -> Next {
        _ = self.reply(Refusal::bad_request(why).into()).await;
        Next::Close
    }
}

/// How a wait ended.
enum Waited {
    /// With a verdict; `None` closes the connection without a byte.
    Over(Option<Verdict>),
    /// The client left.
    Gone,
    /// The client sent more while it waited.
    Pipelined,
}
