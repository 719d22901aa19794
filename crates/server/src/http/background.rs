//! `GET /api/admin/background`: the background tasks of the process, each with the result of its last run.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use hyper::StatusCode;
use pilotlight_core::access::Permission;
use pilotlight_core::rate_limit::RateClass;
use pilotlight_wire::admin::BackgroundTasks;

use crate::background::TaskRow;
use crate::http::error::json;
use crate::http::route::{Audience, Route};

/// The route that lists these tasks.
pub(crate) fn route(tasks: Vec<TaskRow>) -> Route {
    let methods = get(read).with_state(Arc::new(tasks));
    let route = Route::new("/api/admin/background", methods, Permission::AdminRead);
    route.rate(RateClass::AdminRead).audience(Audience::Operators)
}

async fn read(State(tasks): State<Arc<Vec<TaskRow>>>) -> Response {
    json(StatusCode::OK, &BackgroundTasks { tasks: tasks.iter().map(TaskRow::wire).collect() })
}
