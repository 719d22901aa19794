//! The routes of jobs.

use std::sync::Arc;

use pilotlight_core::access::Permission;
use pilotlight_core::limits::{ID_BYTES, MAX_RUNNER_TYPES, SMALL_BODY_BYTES};
use pilotlight_core::rate_limit::RateClass;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::config::JobsConfig;
use crate::http::edge::Edge;
use crate::http::route::{Audience, Route};
use crate::jobs::JobService;
use crate::jobs::http::content_limits::{ContentLimits, max_body_bytes};
use crate::jobs::http::events::JobStreamLimit;
use crate::jobs::http::{admin, callers, events, long_poll, runners};

/// The state that the handlers of jobs share.
#[derive(Debug)]
pub(crate) struct JobsState {
    pub(crate) edge: Arc<Edge>,
    pub(crate) jobs: Arc<JobService>,
    /// Limits the number of open event streams.
    pub(super) streams: JobStreamLimit,
    /// Maximum sizes of a job's parameters, result, console output and error.
    pub(super) content_limits: ContentLimits,
}

impl JobsState {
    /// The state for handlers of this service.
    pub(crate) fn new(edge: Arc<Edge>, jobs: Arc<JobService>, config: &JobsConfig) -> Self {
        let content_limits = ContentLimits::new(&config.limits);
        Self { edge, jobs, streams: JobStreamLimit::default(), content_limits }
    }
}

type JobsRoute = Route<Arc<JobsState>>;
type Handlers = UtoipaMethodRouter<Arc<JobsState>>;

/// The routes for callers, for runners and for operators. Pages of any origin may call them with a key
/// (`docs/protocols/jobs.md`, "Authentication").
pub(crate) fn routes(state: JobsState) -> Vec<Route> {
    let state = Arc::new(state);
    let limits = state.content_limits;
    let all = [caller_routes(limits), runner_routes(limits), admin_routes()].into_iter().flatten();
    all.map(|route| route.any_origin().with_state(Arc::clone(&state))).collect()
}

/// `/api/jobs`. The dashboard page calls these too: it submits and watches jobs.
fn caller_routes(limits: ContentLimits) -> Vec<JobsRoute> {
    let write = |handlers: Handlers, rate_class| {
        Route::documented(handlers, Permission::JobsWrite).rate(rate_class).audience(Audience::ClientsAndPage)
    };
    let read = |handlers: Handlers, rate_class| {
        Route::documented(handlers, Permission::JobsRead).rate(rate_class).audience(Audience::ClientsAndPage)
    };
    vec![
        write(routes!(callers::check), RateClass::Check).body(limits.submission_body()),
        write(routes!(callers::submit), RateClass::Submit).body(limits.submission_body()),
        read(routes!(callers::status), RateClass::Status),
        read(routes!(events::watch), RateClass::Watch),
        write(routes!(callers::cancel), RateClass::Cancel),
    ]
}

/// `/api/runner`. A poll has no rate limit: it waits.
fn runner_routes(limits: ContentLimits) -> Vec<JobsRoute> {
    let run = |handlers: Handlers| Route::documented(handlers, Permission::RunnerApi);
    let registration_body = max_body_bytes(MAX_RUNNER_TYPES * ID_BYTES);
    vec![
        run(routes!(runners::register)).rate(RateClass::Register).body(registration_body),
        run(routes!(runners::verify)).rate(RateClass::Verify),
        run(routes!(runners::available)).rate(RateClass::Available),
        run(routes!(long_poll::next)),
        run(routes!(runners::claim)).rate(RateClass::Claim),
        run(routes!(runners::start)).rate(RateClass::Start).body(max_body_bytes(0)),
        run(routes!(runners::heartbeat)).rate(RateClass::Heartbeat).body(limits.heartbeat_body()),
        run(routes!(runners::complete)).rate(RateClass::Finish).body(limits.result_body()),
        run(routes!(runners::fail)).rate(RateClass::Finish).body(limits.error_body()),
    ]
}

/// `/api/admin`
fn admin_routes() -> Vec<JobsRoute> {
    let read = |handlers: Handlers| {
        let route = Route::documented(handlers, Permission::AdminRead).audience(Audience::Operators);
        route.rate(RateClass::AdminRead)
    };
    let write = |handlers: Handlers| {
        let route = Route::documented(handlers, Permission::AdminWrite).audience(Audience::Operators);
        route.rate(RateClass::AdminWrite)
    };
    vec![
        read(routes!(admin::list)),
        read(routes!(admin::job)),
        write(routes!(admin::again)),
        write(routes!(admin::delete)),
        write(routes!(admin::batch_delete)).body(SMALL_BODY_BYTES),
        read(routes!(admin::runners)),
        read(routes!(admin::runner)),
        read(routes!(admin::stats)),
    ]
}
