//! The route table: every path of the service, with its handler, the permission it needs and its rate limit.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::middleware;
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post};
use hyper::Request;
use hyper::body::Incoming;
use pilotlight_core::access::{Permission, Scopes};
use pilotlight_core::rate_limit::RateClass;
use tower::Service as _;

use super::access::{RouteGuard, guard};
use super::auth::Auth;
use super::body_budget::BodyBudget;
use super::body_limits::BodyLimits;
use super::cors::cors;
use super::dashboard_stream::broadcaster::Broadcaster;
use super::dashboard_stream::events;
use super::jobs::events as job_events;
use super::rate_limit::RateLimits;
use super::token::Tokens;
use super::{
    admin, assets, dashboard, error, fast_path, health, jobs, jobs_admin, long_poll, metrics, openapi,
    runners, session, warm_start,
};
use crate::clock::Clock;
use crate::dispatch::dispatcher::Dispatcher;
use crate::jobs::JobService;
use crate::net::conn::Conn;
use crate::net::io::Io;
use crate::net::listener::{Connections, FastPathExit, Serve};
use crate::telemetry::metrics::Metrics;

/// The state that all handlers share.
#[derive(Debug)]
pub struct HttpState {
    /// Matches runs with polls.
    pub dispatcher: Arc<Dispatcher>,
    /// The job service; `None` where jobs are not served.
    pub jobs: Option<Arc<JobService>>,
    /// Limits the number of open event streams of jobs.
    pub job_streams: job_events::JobStreamLimit,
    /// Maximum sizes of a job's parameters, result, console output and error.
    pub body_limits: BodyLimits,
    /// Sends live updates to open dashboards.
    pub dashboard_broadcaster: Arc<Broadcaster>,
    /// The metrics of `GET /metrics`.
    pub metrics: Arc<Metrics>,
    /// Keys, networks and sessions.
    pub auth: Auth,
    /// Recent requests per caller, for the rate limits of the job API.
    pub rate_limits: RateLimits,
    /// Limits the total size of the large request bodies in memory.
    pub body_budget: BodyBudget,
    /// Reads and verifies deployment tokens.
    pub tokens: Tokens,
    /// The open connections.
    pub connections: Connections,
    /// The clock of the service.
    pub clock: Clock,
    /// The timeouts that `GET /connect` returns.
    pub connect_timeouts: ConnectTimeouts,
    /// The address that the service listens on.
    pub listen_address: std::net::SocketAddr,
}

impl HttpState {
    /// The job service.
    ///
    /// # Panics
    /// Where jobs are not served. The routes of the job API do not exist there.
    #[must_use]
    pub fn jobs(&self) -> &Arc<JobService> {
        self.jobs.as_ref().expect("the routes of jobs exist only where jobs are served")
    }
}

/// The timeouts that `GET /connect` returns to runners (`docs/protocols/warm-start.md`).
#[derive(Debug, Clone, Copy)]
pub struct ConnectTimeouts {
    /// A runner aborts a poll after this time and polls again.
    pub connection_timeout: Duration,
    /// A runner exits when it got no run for this long.
    pub keepalive: Duration,
}

/// The groups of routes that one listener serves. `/health` is always served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteGroups {
    /// The warm-start protocol of runners and supervisors: `/connect`, `/warm-start`.
    pub warm_start: bool,
    /// The API for callers that submit jobs: `/api/jobs`.
    pub jobs: bool,
    /// The API for runners that execute jobs: `/api/runner`.
    pub job_runners: bool,
    /// The job API for operators: `/api/admin`.
    pub jobs_admin: bool,
    /// The dashboard, the metrics and `/api/admin/retire`.
    pub control: bool,
}

impl RouteGroups {
    /// The groups that are in at least one of the two sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            warm_start: self.warm_start || other.warm_start,
            jobs: self.jobs || other.jobs,
            job_runners: self.job_runners || other.job_runners,
            jobs_admin: self.jobs_admin || other.jobs_admin,
            control: self.control || other.control,
        }
    }
}

/// The router of these groups.
fn router(state: &Arc<HttpState>, groups: RouteGroups) -> Router {
    let paths = Paths { state };
    let mut router = paths.health().merge(paths.openapi_document());
    if groups.warm_start {
        router = router.merge(paths.warm_start());
    } else {
        router = router.merge(close_polls());
    }
    if groups.jobs {
        router = router.merge(paths.jobs());
    }
    if groups.job_runners {
        router = router.merge(paths.runners());
    }
    if groups.jobs_admin {
        router = router.merge(paths.jobs_admin());
    }
    if groups.control {
        router = router.merge(paths.control()).merge(paths.page());
    }
    let router = router
        .fallback(error::path_not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .with_state(Arc::clone(state));
    if state.auth.keys() == Scopes::NONE { router } else { router.layer(middleware::from_fn(cors)) }
}

/// Builds the route table. Each entry names the permission that it needs; `core::access` decides which caller has it.
struct Paths<'a> {
    state: &'a Arc<HttpState>,
}

type Routes = Router<Arc<HttpState>>;
type Methods = MethodRouter<Arc<HttpState>>;

impl Paths<'_> {
    fn health(&self) -> Routes {
        let health = || self.guarded(Permission::Protocol, get(health::health));
        Router::new().route("/health", health()).route("/api/health", health())
    }

    /// The OpenAPI document. It contains no data about jobs or runners.
    fn openapi_document(&self) -> Routes {
        Router::new().route("/api/openapi.json", self.guarded(Permission::DashboardPage, get(openapi::read)))
    }

    /// The warm-start protocol. Runners and supervisors send no credentials, and their requests never come from a web
    /// page. A refused poll needs a response of its own, so the handlers of `/warm-start` check the permission.
    fn warm_start(&self) -> Routes {
        let connect = || self.guarded(Permission::Protocol, get(health::connect));
        let warm_start = || {
            get(warm_start::poll)
                .post(warm_start::offer)
                .head(warm_start::method_not_allowed)
                .fallback(warm_start::method_not_allowed)
        };
        Router::new()
            .route("/connect", connect())
            .route("/api/connect", connect())
            .route("/warm-start", warm_start())
            .route("/api/warm-start", warm_start())
    }

    /// The API for callers that submit jobs.
    fn jobs(&self) -> Routes {
        let write = |rate_class, methods| self.rate_limited(Permission::JobsWrite, rate_class, methods);
        let read = |rate_class, methods| self.rate_limited(Permission::JobsRead, rate_class, methods);
        Router::new()
            .route("/api/jobs/check", write(RateClass::Check, post(jobs::check)))
            .route("/api/jobs/submit", write(RateClass::Submit, post(jobs::submit)))
            .route("/api/jobs/{id}", read(RateClass::Status, get(jobs::status)))
            .route("/api/jobs/{id}/events", read(RateClass::Watch, get(job_events::watch)))
            .route("/api/jobs/{id}/cancel", write(RateClass::Cancel, post(jobs::cancel)))
    }

    /// The API for runners that execute jobs.
    fn runners(&self) -> Routes {
        let run = |rate_class, methods| self.rate_limited(Permission::RunnerApi, rate_class, methods);
        Router::new()
            .route("/api/runner/register", run(RateClass::Register, post(runners::register)))
            .route("/api/runner/verify", run(RateClass::Verify, get(runners::verify)))
            .route("/api/runner/jobs/available", run(RateClass::Available, get(runners::available)))
            .route("/api/runner/jobs/next", self.guarded(Permission::RunnerApi, get(long_poll::next)))
            .route("/api/runner/jobs/{id}/claim", run(RateClass::Claim, post(runners::claim)))
            .route("/api/runner/jobs/{id}/start", run(RateClass::Start, post(runners::start)))
            .route("/api/runner/jobs/{id}/heartbeat", run(RateClass::Heartbeat, post(runners::heartbeat)))
            .route("/api/runner/jobs/{id}/complete", run(RateClass::Finish, post(runners::complete)))
            .route("/api/runner/jobs/{id}/error", run(RateClass::Finish, post(runners::fail)))
    }

    /// The job API for operators.
    fn jobs_admin(&self) -> Routes {
        let read = |methods| self.rate_limited(Permission::AdminRead, RateClass::AdminRead, methods);
        let write = |methods| self.rate_limited(Permission::AdminWrite, RateClass::AdminWrite, methods);
        let job = read(get(jobs_admin::job)).merge(write(delete(jobs_admin::delete)));
        Router::new()
            .route("/api/admin/jobs", read(get(jobs_admin::list)))
            .route("/api/admin/jobs/batch-delete", write(post(jobs_admin::batch_delete)))
            .route("/api/admin/jobs/{id}", job)
            .route("/api/admin/jobs/{id}/again", write(post(jobs_admin::again)))
            .route("/api/admin/runners", read(get(jobs_admin::runners)))
            .route("/api/admin/runners/{id}", read(get(jobs_admin::runner)))
            .route("/api/admin/stats", read(get(jobs_admin::stats)))
    }

    /// The dashboard's data, the metrics, and retiring runners.
    fn control(&self) -> Routes {
        let dashboard = self
            .guarded(Permission::DashboardRead, get(dashboard::read))
            .merge(self.guarded(Permission::DashboardWrite, delete(dashboard::clear)));
        Router::new()
            .route("/api/dashboard", dashboard)
            .route("/api/dashboard/events", self.guarded(Permission::DashboardRead, get(events::watch)))
            .route("/api/admin/retire", self.guarded(Permission::DashboardWrite, post(admin::retire)))
            .route("/metrics", self.guarded(Permission::DashboardRead, get(metrics::read)))
    }

    /// The dashboard page and its sign-in. They contain no data about runs or runners.
    fn page(&self) -> Routes {
        let session = get(session::read).post(session::sign_in).delete(session::sign_out);
        Router::new()
            .route("/api/session", self.guarded(Permission::DashboardPage, session))
            .route("/", self.guarded(Permission::DashboardPage, get(assets::index)))
            .route("/assets/{name}", self.guarded(Permission::DashboardPage, get(assets::asset)))
    }

    fn guarded(&self, permission: Permission, methods: Methods) -> Methods {
        self.with_guard(permission, None, methods)
    }

    /// Like `guarded`, with a rate limit.
    fn rate_limited(&self, permission: Permission, rate_class: RateClass, methods: Methods) -> Methods {
        self.with_guard(permission, Some(rate_class), methods)
    }

    fn with_guard(&self, permission: Permission, rate_class: Option<RateClass>, methods: Methods) -> Methods {
        let state = Arc::clone(self.state);
        methods.layer(middleware::from_fn_with_state(RouteGuard { state, permission, rate_class }, guard))
    }
}

/// Routes that close polls without a response, where the warm-start protocol is not served. On an error response, such
/// as a 404, the runner would exit (`docs/protocols/warm-start.md`).
fn close_polls() -> Routes {
    let close_connection = || get(|| async { CloseConnection::response() }).fallback(error::path_not_found);
    Router::new().route("/warm-start", close_connection()).route("/api/warm-start", close_connection())
}

/// Marks a response that is not sent: the connection is closed without a byte instead.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection is closed without a response on purpose")]
pub struct CloseConnection;

impl CloseConnection {
    /// A response with this mark.
    #[must_use]
    pub fn response() -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Self);
        response
    }
}

/// The routes in the form that the accept loop calls.
#[derive(Debug, Clone)]
pub struct Service {
    state: Arc<HttpState>,
    groups: RouteGroups,
    router: Router,
}

impl Service {
    /// A service with the routes of these groups.
    #[must_use]
    pub fn new(state: Arc<HttpState>, groups: RouteGroups) -> Self {
        Self { router: router(&state, groups), state, groups }
    }
}

impl Serve for Service {
    type HttpError = CloseConnection;
    type Body = Body;

    async fn fast_path(&self, conn: &Arc<Conn>, io: &mut Io) -> FastPathExit {
        if !self.groups.warm_start {
            return FastPathExit::ForHttp;
        }
        fast_path::serve(&self.state, conn, io).await
    }

    /// A poll must not get hyper's own error response: its client would exit.
    fn response_must_come_from_service(start: &[u8]) -> bool {
        fast_path::is_poll(start)
    }

    fn http(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, CloseConnection>> + Send + use<> {
        let result = self.router.clone().call(request);
        async move { close_when_marked(result.await) }
    }
}

fn close_when_marked(result: Result<Response, Infallible>) -> Result<Response, CloseConnection> {
    let Ok(response) = result;
    match response.extensions().get::<CloseConnection>() {
        Some(close) => Err(*close),
        None => Ok(response),
    }
}
