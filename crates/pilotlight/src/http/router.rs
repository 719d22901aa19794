//! Every path the service answers, in one table.

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

/// What the handlers ask.
#[derive(Debug)]
pub struct HttpState {
    /// Matching.
    pub dispatcher: Arc<Dispatcher>,
    /// Jobs, where they are served.
    pub jobs: Option<Arc<JobService>>,
    /// Who watches single jobs.
    pub job_streams: job_events::JobStreamLimit,
    /// How much may come with a job.
    pub body_limits: BodyLimits,
    /// Who watches the dashboard.
    pub dashboard_broadcaster: Arc<Broadcaster>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Who may.
    pub auth: Auth,
    /// Who asked for jobs lately.
    pub rate_limits: RateLimits,
    /// Room for large bodies.
    pub body_budget: BodyBudget,
    /// How deployment tokens are read.
    pub tokens: Tokens,
    /// The connections open.
    pub connections: Connections,
    /// The clock.
    pub clock: Clock,
    /// What runners are told.
    pub connect_timeouts: ConnectTimeouts,
    /// Where the service listens.
    pub listen_address: std::net::SocketAddr,
}

impl HttpState {
    /// Jobs.
    ///
    /// # Panics
    /// Where they are not served; nothing that asks for them is routed there.
    #[must_use]
    pub fn jobs(&self) -> &Arc<JobService> {
        self.jobs.as_ref().expect("calls of jobs are routed only where jobs are served")
    }
}

/// What runners are told by `GET /connect`.
#[derive(Debug, Clone, Copy)]
pub struct ConnectTimeouts {
    /// After how long they abort a poll and ask again.
    pub connection_timeout: Duration,
    /// After how long without a run they exit.
    pub keepalive: Duration,
}

/// What one listener answers, besides `/health`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteGroups {
    /// What runners and supervisors call.
    pub warm_start: bool,
    /// What callers of jobs call.
    pub jobs: bool,
    /// What runners of jobs call.
    pub job_runners: bool,
    /// What operators ask about jobs.
    pub jobs_admin: bool,
    /// What operators call.
    pub control: bool,
}

impl RouteGroups {
    /// These and those.
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

/// All paths of these parts.
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

/// The table. Each entry says what is asked for; `core::access` says who may.
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

    /// What can be asked. It tells of no job and no runner.
    fn openapi_document(&self) -> Routes {
        Router::new().route("/api/openapi.json", self.guarded(Permission::DashboardPage, get(openapi::read)))
    }

    /// What runners and supervisors call; they bring no credentials, and never come from a web page. A poll that
    /// may not wait is answered in its own way, so `/warm-start` asks by itself.
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

    /// What callers of jobs ask.
    fn jobs(&self) -> Routes {
        let submit = |rate_class, methods| self.rate_limited(Permission::JobsWrite, rate_class, methods);
        let question = |rate_class, methods| self.rate_limited(Permission::JobsRead, rate_class, methods);
        Router::new()
            .route("/api/jobs/check", submit(RateClass::Check, post(jobs::check)))
            .route("/api/jobs/submit", submit(RateClass::Submit, post(jobs::submit)))
            .route("/api/jobs/{id}", question(RateClass::Status, get(jobs::status)))
            .route("/api/jobs/{id}/events", question(RateClass::Watch, get(job_events::watch)))
            .route("/api/jobs/{id}/cancel", submit(RateClass::Cancel, post(jobs::cancel)))
    }

    /// What runners of jobs say.
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

    /// What operators ask about jobs.
    fn jobs_admin(&self) -> Routes {
        let question = |methods| self.rate_limited(Permission::AdminRead, RateClass::AdminRead, methods);
        let change = |methods| self.rate_limited(Permission::AdminWrite, RateClass::AdminWrite, methods);
        let job = question(get(jobs_admin::job)).merge(change(delete(jobs_admin::delete)));
        Router::new()
            .route("/api/admin/jobs", question(get(jobs_admin::list)))
            .route("/api/admin/jobs/batch-delete", change(post(jobs_admin::batch_delete)))
            .route("/api/admin/jobs/{id}", job)
            .route("/api/admin/jobs/{id}/again", change(post(jobs_admin::again)))
            .route("/api/admin/runners", question(get(jobs_admin::runners)))
            .route("/api/admin/runners/{id}", question(get(jobs_admin::runner)))
            .route("/api/admin/stats", question(get(jobs_admin::stats)))
    }

    /// What operators call.
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

    /// What holds nothing of runs and runners.
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

    /// What may not be asked for too often.
    fn rate_limited(&self, permission: Permission, rate_class: RateClass, methods: Methods) -> Methods {
        self.with_guard(permission, Some(rate_class), methods)
    }

    fn with_guard(&self, permission: Permission, rate_class: Option<RateClass>, methods: Methods) -> Methods {
        let state = Arc::clone(self.state);
        methods.layer(middleware::from_fn_with_state(RouteGuard { state, permission, rate_class }, guard))
    }
}

/// A runner that polls where it cannot wait must not be answered: it would exit.
fn close_polls() -> Routes {
    let close_connection = || get(|| async { CloseConnection::response() }).fallback(error::path_not_found);
    Router::new().route("/warm-start", close_connection()).route("/api/warm-start", close_connection())
}

/// A response that means: close the connection without a byte.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("closed on purpose")]
pub struct CloseConnection;

impl CloseConnection {
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
    state: Arc<HttpState>,
    groups: RouteGroups,
    router: Router,
}

impl Service {
    /// The paths of these parts.
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

    /// A poll's client would exit on what HTTP's machinery answers.
    fn must_respond(start: &[u8]) -> bool {
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
