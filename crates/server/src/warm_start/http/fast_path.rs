//! The fast path: serves simple requests of the warm-start protocol without hyper, one at a time on a connection. Every
//! other request goes to hyper, together with the bytes that were already read.
//!
//! A parked poll needs a fraction of the memory here, and the task that has a run for it writes directly to its socket
//! (docs/decisions/0003). Correctness never depends on the fast path: hyper and axum serve the same paths.

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

use crate::capability::{FastPath, FastPathFuture};
use crate::http::error::{ApiError, ConnectionReuse, Reply, head};
use crate::warm_start::dispatcher::Dispatcher;
use crate::warm_start::http::{WarmStartState, protocol};
use crate::warm_start::park::ParkOutcome;
use crate::warm_start::poll_handle::{PollOutcome, ResponsePath};
use pilotlight_net::conn::Conn;
use pilotlight_net::io::Io;
use pilotlight_net::listener::FastPathExit;
use pilotlight_net::parked_poll::ParkedPoll;

mod parse;

pub(crate) use parse::is_poll;
use parse::{FastRequest, ParsedHead};

const PIPELINED: &str = "send no further request on this connection before the poll is answered";
const BROKEN_HEAD: &str = "the request head is not valid HTTP, or has more than 16 KiB or 100 headers";

/// Free buffer space for each read, in bytes. It is larger than a usual head, so that one read gets the whole head.
const READ_BYTES: usize = 2048;

impl FastPath for WarmStartState {
    fn serve<'a>(&'a self, conn: &'a Arc<Conn>, io: &'a mut Io) -> FastPathFuture<'a> {
        Box::pin(serve(self, conn, io))
    }
}

/// Serves simple requests until the connection ends, or until another request arrives.
async fn serve(state: &WarmStartState, conn: &Arc<Conn>, io: &mut Io) -> FastPathExit {
    if !state.edge.auth.may_use_fast_path(conn.peer().ip()) {
        return FastPathExit::ForHttp;
    }
    let mut connection = FastConnection { state, conn, io, read_buffer: BytesMut::new() };
    loop {
        let next = match connection.request().await {
            NextRequest::Fast(request) => connection.answer(request).await,
            NextRequest::Other => {
                connection.io.put_back(connection.read_buffer.freeze());
                return FastPathExit::ForHttp;
            }
            NextRequest::BrokenPoll => connection.reject_and_close(BROKEN_HEAD).await,
            NextRequest::None => AfterResponse::Close,
        };
        if next == AfterResponse::Close || conn.should_close() {
            return FastPathExit::Closed;
        }
    }
}

struct FastConnection<'a> {
    state: &'a WarmStartState,
    conn: &'a Arc<Conn>,
    io: &'a mut Io,
    read_buffer: BytesMut,
}

enum NextRequest {
    Fast(FastRequest),
    Other,
    BrokenPoll,
    /// The connection ended, or the head did not arrive in time.
    None,
}

#[derive(PartialEq, Eq)]
enum AfterResponse {
    ReadNext,
    Close,
}

impl FastConnection<'_> {
    async fn request(&mut self) -> NextRequest {
        self.conn.set_request_deadline(HEAD_TIMEOUT);
        loop {
            if !self.read_buffer.is_empty() {
                self.conn.mark_request_started();
                match parse::parse_head(&self.read_buffer) {
                    ParsedHead::Fast(request, length) => {
                        self.read_buffer.advance(length);
                        self.conn.clear_read_deadline();
                        return NextRequest::Fast(request);
                    }
                    ParsedHead::Other => return NextRequest::Other,
                    ParsedHead::BrokenPoll => return NextRequest::BrokenPoll,
                    ParsedHead::Incomplete => {}
                }
            }
            self.read_buffer.reserve(READ_BYTES);
            if !matches!(self.io.read_buf(&mut self.read_buffer).await, Ok(1..)) {
                return NextRequest::None;
            }
        }
    }

    async fn answer(&mut self, request: FastRequest) -> AfterResponse {
        match request {
            FastRequest::Connect => self.reply(protocol::connect_response(self.state)).await,
            FastRequest::Poll(Ok((key, runner))) => match self.state.tokens.resolve_key(key) {
                Ok(key) => self.poll(key, runner).await,
                Err(error) => self.reply(error.into()).await,
            },
            FastRequest::Poll(Err(error)) => self.reply(error.into()).await,
            // Boxed, so that this future does not make the futures of parked polls larger.
            FastRequest::Offer { body_bytes, trace } => Box::pin(self.offer(body_bytes, trace)).await,
        }
    }

    async fn reply(&mut self, reply: Reply) -> AfterResponse {
        let reuse =
            if self.conn.should_close() { ConnectionReuse::Close } else { ConnectionReuse::KeepAlive };
        let mut bytes = head(reply.status, reply.body.len(), reuse);
        bytes.extend_from_slice(&reply.body);
        match self.io.write_all(&bytes).await {
            Ok(()) => AfterResponse::ReadNext,
            Err(_) => AfterResponse::Close,
        }
    }

    async fn offer(&mut self, body_bytes: usize, trace: Option<TraceParent>) -> AfterResponse {
        let state = self.state;
        let _permit = match state.edge.body_budget.take(body_bytes) {
            Ok(permit) => permit,
            Err(error) => {
                _ = self.reply(protocol::handle_offer(state, Err(error), None).await).await;
                // The unread body still follows on this connection, so the connection cannot be reused.
                return AfterResponse::Close;
            }
        };
        let reply = match self.body(body_bytes).await {
            Some(body) => protocol::handle_offer(self.state, Ok(body), trace).await,
            None if self.conn.deadline_passed() => {
                let error = ApiError::body_timeout(BODY_TIMEOUT);
                _ = self.reply(protocol::handle_offer(self.state, Err(error), None).await).await;
                return AfterResponse::Close;
            }
            None => return AfterResponse::Close,
        };
        self.reply(reply).await
    }

    /// Reads a body of this many bytes; `None` when the connection ends or the deadline passes before it is complete.
    async fn body(&mut self, bytes: usize) -> Option<Bytes> {
        self.conn.set_read_deadline(BODY_TIMEOUT);
        while self.read_buffer.len() < bytes {
            self.read_buffer.reserve(READ_BYTES);
            if !matches!(self.io.read_buf(&mut self.read_buffer).await, Ok(1..)) {
                return None;
            }
        }
        self.conn.clear_read_deadline();
        Some(self.read_buffer.split_to(bytes).freeze())
    }

    async fn poll(&mut self, key: PoolKey, runner: Runner) -> AfterResponse {
        if !self.read_buffer.is_empty() {
            return self.reject_and_close(PIPELINED).await;
        }
        self.read_buffer = BytesMut::new();
        let parked = self.state.dispatcher.park(key, runner, Arc::clone(self.conn), ResponsePath::Direct);
        let outcome = match parked {
            ParkOutcome::Parked(parked) => match self.wait(parked).await {
                WaitEnd::Finished(outcome) => outcome,
                WaitEnd::ClientLeft => None,
                WaitEnd::Pipelined => return self.reject_and_close(PIPELINED).await,
            },
            ParkOutcome::Retired => Some(PollOutcome::Retired),
            ParkOutcome::Closed => None,
        };
        match outcome {
            Some(PollOutcome::Answered) => AfterResponse::ReadNext,
            Some(PollOutcome::Retired) => self.reply(ApiError::runner_retired().into()).await,
            Some(PollOutcome::Run(_)) | None => AfterResponse::Close,
        }
    }

    async fn wait(&mut self, mut parked: ParkedPoll<Dispatcher>) -> WaitEnd {
        loop {
            if let Some(outcome) = poll_fn(|cx| self.outcome_or_bytes(&mut parked, cx)).await {
                return WaitEnd::Finished(outcome);
            }
            match self.io.try_read(&mut self.read_buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) | Ok(0) => return WaitEnd::ClientLeft,
                Ok(_) if parked.leave() => return WaitEnd::Pipelined,
                // The run is already written, and these bytes are the next request.
                Ok(_) => return WaitEnd::Finished(parked.outcome().await),
            }
        }
    }

    /// Waits for the poll's outcome or for readable bytes. The outer `Option` is `None` when the socket may be
    /// readable.
    fn outcome_or_bytes(
        &self,
        parked: &mut ParkedPoll<Dispatcher>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Option<PollOutcome>>> {
        if let Poll::Ready(outcome) = parked.poll_outcome(cx) {
            return Poll::Ready(Some(outcome));
        }
        self.io.poll_readable(cx).map(|()| None)
    }

    /// Answers 400 and closes the connection, because the start of the next request in the bytes is not known.
    async fn reject_and_close(&mut self, why: &str) -> AfterResponse {
        _ = self.reply(ApiError::bad_request(why).into()).await;
        AfterResponse::Close
    }
}

/// How the wait of a parked poll ended.
enum WaitEnd {
    /// The poll has an outcome; `None` closes the connection without a byte.
    Finished(Option<PollOutcome>),
    /// The client closed the connection.
    ClientLeft,
    /// The client sent more bytes while its poll waited.
    Pipelined,
}
