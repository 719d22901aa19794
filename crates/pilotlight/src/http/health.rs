//! `GET /connect`: what runners are told before they wait. `GET /health`: whether the service is well.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use pilotlight_core::time::millis;
use pilotlight_wire::warm_start::{Connect, Health};

use super::error::{Reply, json};
use super::router::Handles;

/// `GET /connect`
pub async fn connect(State(handles): State<Arc<Handles>>) -> Reply {
    told(&handles)
}

/// What runners are told before they wait.
#[must_use]
pub fn told(handles: &Handles) -> Reply {
    let told = handles.told;
    let connect = Connect {
        connection_timeout_ms: millis(told.connection_timeout),
        keepalive_ms: millis(told.keepalive),
    };
    Reply::json(StatusCode::OK, &connect)
}

/// `GET /health`
pub async fn health(State(handles): State<Arc<Handles>>) -> Response {
    let (waiting, deployments, executing) =
        handles.dispatcher.read(|view| (view.waiting(), view.deployments(), view.executing().len()));
    let health = Health {
        status: Cow::Borrowed(if handles.connections.is_stopping() { "draining" } else { "ok" }),
        waiting_runners: waiting,
        deployments,
        executing_runners: executing,
        waiting_for_jobs: handles.jobs.as_ref().map_or(0, |jobs| jobs.waiting()),
        connections: handles.connections.open(),
        ack: Cow::Borrowed(handles.dispatcher.ack_mode().as_str()),
        version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
        uptime_ms: handles.clock.now().as_micros() / 1000,
    };
    json(StatusCode::OK, &health)
}
