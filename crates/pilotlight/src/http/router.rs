//! Every path the service answers, in one table.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use hyper::Request;
use hyper::body::Incoming;
use tower::Service as _;

use super::live::events;
use super::live::feed::Feed;
use super::{access, admin, dashboard, error, front, health, metrics, page, warm_start};
use crate::clock::Clock;
use crate::dispatch::dispatcher::Dispatcher;
use crate::net::conn::Conn;
use crate::net::io::Io;
use crate::net::listener::{Connections, Ended, Serve};
use crate::telemetry::metrics::Metrics;

/// What the handlers ask.
#[derive(Debug)]
pub struct Handles {
    /// Matching.
    pub dispatcher: Arc<Dispatcher>,
    /// Who watches the dashboard.
    pub feed: Arc<Feed>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The connections open.
    pub connections: Connections,
    /// The clock.
    pub clock: Clock,
    /// What runners are told.
    pub told: Told,
    /// Where the service listens.
    pub listens: std::net::SocketAddr,
}

/// What runners are told by `GET /connect`.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// After how long they abort a poll and ask again.
    pub connection_timeout: Duration,
    /// After how long without a run they exit.
    pub keepalive: Duration,
}

/// All paths.
fn router(handles: Arc<Handles>) -> Router {
    protocol()
        .merge(control())
        .merge(page())
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method)
        .with_state(handles)
}

/// What runners and supervisors call; they bring no credentials, and never come from a web page.
fn protocol() -> Router<Arc<Handles>> {
    let connect = || get(health::connect).layer(middleware::from_fn(access::not_from_a_page));
    let health = || get(health::health).layer(middleware::from_fn(access::not_from_a_page));
    let warm_start = || {
        get(warm_start::poll)
            .post(warm_start::offer)
            .head(warm_start::no_such_method)
            .fallback(warm_start::no_such_method)
    };
    Router::new()
        .route("/connect", connect())
        .route("/api/connect", connect())
        .route("/health", health())
        .route("/api/health", health())
        .route("/warm-start", warm_start())
        .route("/api/warm-start", warm_start())
}

/// What operators call.
fn control() -> Router<Arc<Handles>> {
    Router::new()
        .route("/api/dashboard", get(dashboard::read).delete(dashboard::clear))
        .route("/api/dashboard/events", get(events::watch))
        .route("/api/admin/retire", post(admin::retire))
        .route("/metrics", get(metrics::read))
        .layer(middleware::from_fn(access::from_this_machine))
}

/// The dashboard's page, which holds no data.
fn page() -> Router<Arc<Handles>> {
    Router::new()
        .route("/", get(page::page))
        .route("/assets/{name}", get(page::asset))
        .layer(middleware::from_fn(access::from_this_machine))
}

/// A response that means: close the connection without a byte.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("closed on purpose")]
pub struct Hangup;

impl Hangup {
    /// The marked response.
    #[must_use]
    pub fn response() -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Self);
        response
    }
}

/// The routes as the accept loop wants them.
#[derive(Debug, Clone)]
pub struct Service {
    handles: Arc<Handles>,
    router: Router,
}

impl Service {
    /// All paths, asking these.
    #[must_use]
    pub fn new(handles: Arc<Handles>) -> Self {
        Self { router: router(Arc::clone(&handles)), handles }
    }
}

impl Serve for Service {
    type Hangup = Hangup;
    type Body = Body;

    async fn front(&self, conn: &Arc<Conn>, io: &mut Io) -> Ended {
        front::serve(&self.handles, conn, io).await
    }

    fn http(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, Hangup>> + Send + use<> {
        let answer = self.router.clone().call(request);
        async move { hang_up_when_marked(answer.await) }
    }
}

fn hang_up_when_marked(answer: Result<Response, Infallible>) -> Result<Response, Hangup> {
    let Ok(response) = answer;
    match response.extensions().get::<Hangup>() {
        Some(hangup) => Err(*hangup),
        None => Ok(response),
    }
}
