//! Accepts connections and runs HTTP on them: socket options, a cap on connections, limits on heads, and an end
//! in good order. It survives a lack of descriptors; at the cap a connection is closed without a byte.

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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::conn::{Conn, Shared, Transport};
use super::deadlines::{IDLE_TICKS, TICK};
use super::io::Io;
use super::response_guard::ResponseGuard;
use super::sockets::{BoundListener, SocketOwner};
use super::sys;
use super::tls::Tls;
use crate::telemetry::metrics::{ConnectionCounts, Count};

/// Descriptors left for files, pipes and connections of our own.
const RESERVED_FILES: usize = 128;

/// Connections that were in the queue when we stopped are taken by then; others may go on coming for ever.
const DRAIN_QUEUE_FOR: Duration = Duration::from_millis(20);

/// How long to leave the kernel alone after it had no descriptor for us.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The connections that may be open at once: as asked for, or what the limit of open files leaves.
///
/// # Errors
/// When more are asked for than the limit leaves; the text says what to do.
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

/// Who answers on the connections.
pub trait Serve: Clone + Send + Sync + 'static {
    /// What the answer of [`Serve::http`] may fail with: it closes the connection without a byte.
    type HttpError: Into<Box<dyn Error + Send + Sync>> + Send + 'static;
    /// The body of its answers.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Serves a new connection as far as it can by itself, until it ends or something comes that it leaves to
    /// HTTP.
    fn fast_path(&self, conn: &Arc<Conn>, io: &mut Io) -> impl Future<Output = FastPathExit> + Send;

    /// Whether a request that begins so is answered by [`Serve::http`] or not at all: HTTP's machinery would refuse a
    /// head that is too long or broken by itself.
    fn must_respond(start: &[u8]) -> bool;

    /// Answers one request, which carries its `Arc<Conn>` as an extension.
    fn http(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Self::HttpError>> + Send + use<Self>;
}

/// How the front left a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FastPathExit {
    /// Close it.
    Closed,
    /// What comes next is for HTTP; what was read of it is put back.
    ForHttp,
}

/// Open connections, and how to end them.
#[derive(Debug, Clone)]
pub struct Connections {
    max_open: usize,
    free: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
    shared: Shared,
    counts: ConnectionCounts,
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(max_open: usize, counts: ConnectionCounts) -> Self {
        Self {
            max_open,
            free: Arc::new(Semaphore::new(max_open)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            shared: Shared { reset_watch: Arc::default(), deadlines: Arc::default() },
            counts,
        }
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.max_open - self.free.available_permits()
    }

    /// Connections that may be open at once.
    #[must_use]
    pub const fn max_open(&self) -> usize {
        self.max_open
    }

    /// Whether [`Connections::stop`] was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The reconciler of connections, until dropped: ends those that are too slow, and looks at those whose last
    /// answer is in question. Safe to repeat at any time.
    pub async fn watch(self) {
        loop {
            tokio::time::sleep(TICK).await;
            self.shared.deadlines.tick();
            self.shared.reset_watch.check_all();
        }
    }

    /// Accepts nothing more, and closes each connection once its request under way is answered.
    pub fn stop(&self) {
        self.stop.cancel();
        self.shared.deadlines.stop();
        self.tasks.close();
    }

    /// Waits until all are closed.
    pub async fn wait_closed(&self) {
        self.tasks.wait().await;
    }

    /// Accepts connections until [`Connections::stop`]. With TLS every one of them is sealed.
    pub async fn accept(self, bound: BoundListener, tls: Option<Arc<Tls>>, serve: impl Serve) {
        // Whoever waits for the end waits for those in the queue too.
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
        // Whoever is in a queue that ends with us is still served; in one that does not, the next process serves it.
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
            tracing::debug!(%peer, "closed a connection: as many as may be are open");
            return;
        };
        if let Err(error) = set_options(&stream) {
            tracing::debug!(%peer, %error, "failed to set up a connection");
            return;
        }
        let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
        let (conn, io) = Conn::open(stream, peer, transport, self.shared.clone());
        let registration = self.shared.deadlines.register(&conn);
        let (serve, stop) = (serve.clone(), self.stop.clone());
        let acceptor = tls.map(|tls| (tls.acceptor(), self.counts.failed_handshakes.clone()));
        self.tasks.spawn(async move {
            match acceptor {
                // Boxed, so that the others do not carry its size.
                Some(acceptor) => Box::pin(run_tls(conn, io, acceptor, serve, stop)).await,
                None => run(conn, io, serve, stop).await,
            }
            drop((permit, registration));
        });
    }
}

async fn run(conn: Arc<Conn>, mut io: Io, serve: impl Serve, stop: CancellationToken) {
    if serve.fast_path(&conn, &mut io).await == FastPathExit::ForHttp {
        conn.clear_read_deadline();
        // Boxed, so that the many that never come here do not carry its size.
        Box::pin(run_http(conn, io, serve, stop)).await;
    }
}

async fn run_tls(
    conn: Arc<Conn>,
    io: Io,
    (acceptor, failed): (TlsAcceptor, Count),
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
    let io = ResponseGuard::new(io, Arc::clone(&from_service), S::must_respond);
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
        // First, so that a request that is there already is seen before the end is.
        biased;
        ended = http.as_mut() => ended,
        () = idle_grace_over(stop) => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// As for connections before HTTP: a request may be on its way when the service is asked to stop.
async fn idle_grace_over(stop: CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(IDLE_TICKS * TICK).await;
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sys::enable_dead_peer_detection(stream)
}

/// A connection that was gone before it was accepted is nothing; a lack of descriptors or memory passes.
async fn pause_after(error: &io::Error) {
    let is_transient = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !is_transient {
        tracing::warn!(%error, "failed to accept a connection; raise the open-file limit if this stays");
        tokio::time::sleep(ACCEPT_RETRY_PAUSE).await;
    }
}
