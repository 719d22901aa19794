//! Accepts connections and runs HTTP on them: socket options, a cap on connections, limits on heads, and an end
//! in good order. It survives a lack of descriptors; at the cap a connection is closed without a byte.

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use pilotlight_core::limits::{HEAD_BYTES, HEAD_WITHIN};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::conn::{Conn, Shared};
use super::deadlines::LOOK_EVERY;
use super::io::Io;
use super::sys;

/// Connections the kernel keeps ready for us; a fleet that comes back at once is thousands.
const BACKLOG: i32 = 4096;

/// Descriptors left for files, pipes and connections of our own.
const RESERVED_FILES: usize = 128;

/// How long to leave the kernel alone after it had no descriptor for us.
const BREATHER: Duration = Duration::from_millis(20);

/// The connections that may be open at once: as asked for, or what the limit of open files leaves.
///
/// # Errors
/// When more are asked for than the limit leaves; the text says what to do.
pub fn connections_at_most(asked: Option<usize>) -> io::Result<usize> {
    let possible = sys::raise_open_files()?.saturating_sub(RESERVED_FILES).min(Semaphore::MAX_PERMITS);
    match asked {
        Some(asked) if asked > possible => Err(io::Error::other(format!(
            "{asked} connections need an open-file limit of {}, but it is {}; raise it with `ulimit -Hn`",
            asked + RESERVED_FILES,
            possible + RESERVED_FILES
        ))),
        Some(asked) => Ok(asked),
        None => Ok(possible),
    }
}

/// Opens the listening socket.
///
/// # Errors
/// The kernel's: the address is in use, or is not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Who answers on the connections.
pub trait Serve: Clone + Send + Sync + 'static {
    /// What the answer of [`Serve::http`] may fail with: it closes the connection without a byte.
    type Hangup: Into<Box<dyn Error + Send + Sync>> + Send + 'static;
    /// The body of its answers.
    type Body: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Serves a new connection as far as it can by itself, until it ends or something comes that it leaves to
    /// HTTP.
    fn front(&self, conn: &Arc<Conn>, io: &mut Io) -> impl Future<Output = Ended> + Send;

    /// Answers one request, which carries its `Arc<Conn>` as an extension.
    fn http(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Self::Hangup>> + Send + use<Self>;
}

/// How the front left a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Close it.
    Closed,
    /// What comes next is for HTTP; what was read of it is put back.
    ForHttp,
}

/// Open connections, and how to end them.
#[derive(Debug, Clone)]
pub struct Connections {
    at_most: usize,
    free: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
    shared: Shared,
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(at_most: usize) -> Self {
        Self {
            at_most,
            free: Arc::new(Semaphore::new(at_most)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            shared: Shared { linger: Arc::default(), deadlines: Arc::default() },
        }
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.at_most - self.free.available_permits()
    }

    /// Connections that may be open at once.
    #[must_use]
    pub const fn at_most(&self) -> usize {
        self.at_most
    }

    /// Whether [`Connections::stop`] was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The reconciler of connections, until dropped: ends those that are too slow, and looks at those whose last
    /// answer is in question. Safe to repeat at any time.
    pub async fn keep(self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.shared.deadlines.pass_time();
            self.shared.linger.look();
        }
    }

    /// Accepts nothing more, and closes each connection once its request under way is answered.
    pub fn stop(&self) {
        self.stop.cancel();
        self.shared.deadlines.stop();
        self.tasks.close();
    }

    /// Waits until all are closed.
    pub async fn closed(&self) {
        self.tasks.wait().await;
    }

    /// Accepts connections until [`Connections::stop`].
    pub async fn accept(self, listener: TcpListener, serve: impl Serve) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stop.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer, &serve),
                Err(error) => pause_after(&error).await,
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, serve: &impl Serve) {
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            tracing::debug!(%peer, "closed a connection: as many as may be are open");
            return;
        };
        if let Err(error) = set_options(&stream) {
            tracing::debug!(%peer, %error, "failed to set up a connection");
            return;
        }
        let (conn, io) = Conn::open(stream, peer, self.shared.clone());
        let watched = self.shared.deadlines.watch(&conn);
        let (serve, stop) = (serve.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            run(conn, io, serve, stop).await;
            drop((permit, watched));
        });
    }
}

async fn run(conn: Arc<Conn>, mut io: Io, serve: impl Serve, stop: CancellationToken) {
    if serve.front(&conn, &mut io).await == Ended::ForHttp {
        conn.expect_nothing();
        // Boxed, so that the many that never come here do not carry its size.
        Box::pin(run_http(conn, io, serve, stop)).await;
    }
}

async fn run_http(conn: Arc<Conn>, io: Io, serve: impl Serve, stop: CancellationToken) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Arc::clone(&conn));
        serve.http(request)
    });
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(io), service);
    let mut http = std::pin::pin!(http);
    let ended = tokio::select! {
        ended = http.as_mut() => ended,
        () = stop.cancelled() => {
            http.as_mut().graceful_shutdown();
            http.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sys::forget_unheard(stream)
}

/// A connection that was gone before it was accepted is nothing; a lack of descriptors or memory passes.
async fn pause_after(error: &io::Error) {
    let gone = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !gone {
        tracing::warn!(%error, "failed to accept a connection; raise the open-file limit if this stays");
        tokio::time::sleep(BREATHER).await;
    }
}
