//! Accepts connections and serves HTTP on them: sets socket options, limits the number of connections and the size of
//! heads, and ends connections in order when the service stops. A lack of descriptors only pauses accepting; above
//! the connection limit, a new connection is closed without a byte.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use pilotlight_core::limits::{HEAD_BYTES, HEAD_TIMEOUT, TLS_HANDSHAKE_TIMEOUT};
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::conn::{Conn, Transport};
use super::deadlines::Deadlines;
use super::io::Io;
use super::reset_watch::ResetWatch;
use super::response_guard::ResponseGuard;
use super::sockets::{BoundListener, SocketOwner};
use super::sys;
use super::ticks::{IDLE_TICKS, TICK};
use super::tls::Tls;

/// Descriptors reserved for files, pipes and outgoing connections.
const RESERVED_FILES: usize = 128;

/// How long the backlog is drained after a stop. Connections that were in it at the stop are accepted by then; new
/// ones might keep coming for ever.
const DRAIN_QUEUE_FOR: Duration = Duration::from_millis(20);

/// The pause after an accept that failed for lack of descriptors or memory.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(20);

/// How many connections may be open at once: the requested number, or what the limit of open files allows.
///
/// # Errors
/// When more connections are requested than the limit of open files allows; the text says how to raise it.
pub fn max_connections(requested: Option<usize>) -> io::Result<usize> {
    let possible = sys::raise_open_file_limit()?.saturating_sub(RESERVED_FILES).min(Semaphore::MAX_PERMITS);
    match requested {
        Some(requested) if requested > possible => Err(io::Error::other(format!(
            "{requested} connections need an open-file limit of {}, but it is {}; raise it with `ulimit -Hn`",
            requested + RESERVED_FILES,
            possible + RESERVED_FILES
        ))),
        Some(requested) => Ok(requested),
        None => Ok(possible),
    }
}

/// The service behind the connections: reads requests and answers them.
pub trait Serve: Clone + Send + Sync + 'static {
    /// The error of [`Serve::http`]: it closes the connection without a byte.
    type HttpError: Into<Box<dyn Error + Send + Sync>> + Send + 'static;
    /// The body of the responses.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Serves a new connection without hyper, until it ends or a request comes that must go to hyper.
    fn fast_path(&self, conn: &Arc<Conn>, io: &mut Io) -> impl Future<Output = FastPathExit> + Send;

    /// Whether only [`Serve::http`] may answer a request that begins with `start`. hyper itself answers a head that
    /// is too long or malformed; for these requests the connection closes without a byte instead.
    fn response_must_come_from_service(start: &[u8]) -> bool;

    /// Answers one request. Its extensions contain the `Arc<Conn>`.
    fn http(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Self::HttpError>> + Send + use<Self>;
}

/// How the fast path ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FastPathExit {
    /// The connection must be closed.
    Closed,
    /// hyper serves the connection from here on; the bytes already read were put back.
    ForHttp,
}

/// Counters of connections that never carried a request.
#[derive(Debug, Clone, Default)]
pub struct ConnectionCounts {
    /// Connections closed at once, because the maximum number of connections was open.
    pub refused: Counter,
    /// Connections that ended before the TLS handshake was complete.
    pub failed_handshakes: Counter,
}

/// The open connections: counts, limits and stops them.
#[derive(Debug, Clone)]
pub struct Connections {
    max_open: usize,
    free: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
    deadlines: Arc<Deadlines>,
    reset_watch: Arc<ResetWatch>,
    counts: ConnectionCounts,
}

impl Connections {
    /// Without open connections.
    #[must_use]
    pub fn new(max_open: usize, counts: ConnectionCounts) -> Self {
        Self {
            max_open,
            free: Arc::new(Semaphore::new(max_open)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            deadlines: Arc::default(),
            reset_watch: Arc::default(),
            counts,
        }
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.max_open - self.free.available_permits()
    }

    /// How many connections may be open at once.
    #[must_use]
    pub const fn max_open(&self) -> usize {
        self.max_open
    }

    /// Whether [`Connections::stop`] was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The reconciler of connections, until dropped: ends connections whose deadline has passed, and checks closed
    /// ones for resets of their last response. Safe to repeat at any time.
    pub async fn watch(self) {
        loop {
            tokio::time::sleep(TICK).await;
            self.deadlines.tick();
            self.reset_watch.check_all();
        }
    }

    /// Stops accepting, and closes each connection once its current request is answered.
    pub fn stop(&self) {
        self.stop.cancel();
        self.deadlines.stop();
        self.tasks.close();
    }

    /// Waits until all connections are closed.
    pub async fn wait_closed(&self) {
        self.tasks.wait().await;
    }

    /// Accepts connections until [`Connections::stop`]. With `tls`, every connection uses TLS.
    pub async fn accept(self, bound: BoundListener, tls: Option<Arc<Tls>>, serve: impl Serve) {
        // `wait_closed` must also wait for the connections that are still in the backlog.
        let _open = self.tasks.token();
        let listener = &bound.socket;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer, tls.as_deref(), &serve),
                Err(error) => pause_after(&error).await,
            }
        }
        // A backlog that ends with this process is drained. A socket of another process keeps its backlog for the
        // next process.
        let end = Instant::now() + DRAIN_QUEUE_FOR;
        while bound.owner == SocketOwner::ThisProcess
            && let Ok(Ok((stream, peer))) = timeout_at(end, listener.accept()).await
        {
            self.admit(stream, peer, tls.as_deref(), &serve);
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, tls: Option<&Tls>, serve: &impl Serve) {
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            self.counts.refused.inc();
            tracing::debug!(%peer, "closed a connection: the connection limit is reached");
            return;
        };
        if let Err(error) = set_options(&stream) {
            tracing::debug!(%peer, %error, "failed to set up a connection");
            return;
        }
        let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
        let (conn, io) = self.split(stream, peer, transport);
        let registration = self.deadlines.register(&conn);
        let (serve, stop) = (serve.clone(), self.stop.clone());
        let acceptor = tls.map(|tls| (tls.acceptor(), self.counts.failed_handshakes.clone()));
        self.tasks.spawn(async move {
            match acceptor {
                // Boxed, so that the tasks of plain connections do not contain the size of the TLS future.
                Some(acceptor) => Box::pin(run_tls(conn, io, acceptor, serve, stop)).await,
                None => run(conn, io, serve, stop).await,
            }
            drop((permit, registration));
        });
    }

    /// Splits a connection into its two halves.
    fn split(&self, stream: TcpStream, peer: SocketAddr, transport: Transport) -> (Arc<Conn>, Io) {
        let (reader, socket) = stream.into_split();
        let conn = Arc::new(Conn::new(socket, peer, transport, Arc::clone(self.deadlines.ticks())));
        let io = Io::new(Arc::clone(&conn), reader, Arc::clone(&self.reset_watch));
        (conn, io)
    }
}

async fn run(conn: Arc<Conn>, mut io: Io, serve: impl Serve, stop: CancellationToken) {
    if serve.fast_path(&conn, &mut io).await == FastPathExit::ForHttp {
        conn.clear_read_deadline();
        // Boxed, so that the many connections that stay on the fast path do not contain the size of the hyper future.
        Box::pin(run_http(conn, io, serve, stop)).await;
    }
}

async fn run_tls(
    conn: Arc<Conn>,
    io: Io,
    (acceptor, failed): (TlsAcceptor, Counter),
    serve: impl Serve,
    stop: CancellationToken,
) {
    conn.set_request_deadline(TLS_HANDSHAKE_TIMEOUT);
    match acceptor.accept(io).await {
        Ok(stream) => {
            conn.clear_read_deadline();
            run_http(conn, stream, serve, stop).await;
        }
        Err(error) => {
            failed.inc();
            tracing::debug!(peer = %conn.peer(), %error, "a TLS handshake failed");
        }
    }
}

async fn run_http<S: Serve>(
    conn: Arc<Conn>,
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    serve: S,
    stop: CancellationToken,
) {
    let from_service = Arc::new(AtomicBool::new(false));
    let io = ResponseGuard::new(io, Arc::clone(&from_service), S::response_must_come_from_service);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&conn));
        let (response, from_service) = (serve.http(request), Arc::clone(&from_service));
        async move {
            let response = response.await;
            from_service.store(true, Ordering::Release);
            response
        }
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(io), service);
    let mut http = std::pin::pin!(http);
    let ended = tokio::select! {
        // `biased`: a request that has already arrived is served before the stop is handled.
        biased;
        ended = http.as_mut() => ended,
        () = idle_grace_over(stop) => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// Waits until idle connections may end after a stop. The fast path has the same grace: a request may be on its way
/// to us when the service stops.
async fn idle_grace_over(stop: CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(IDLE_TICKS * TICK).await;
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sys::enable_dead_peer_detection(stream)
}

/// Pauses after a failed accept. A connection that closed before it was accepted needs no pause; a lack of
/// descriptors or memory does.
async fn pause_after(error: &io::Error) {
    let is_transient = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !is_transient {
        tracing::warn!(%error, "failed to accept a connection; raise the open-file limit if this continues");
        tokio::time::sleep(ACCEPT_RETRY_PAUSE).await;
    }
}
