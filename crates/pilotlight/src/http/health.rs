//! `GET /connect`: the timeouts that runners use. `GET /health`: the state of the service. Both are described in
//! `docs/protocols/warm-start.md`.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use pilotlight_core::time::millis;
use pilotlight_wire::warm_start::{ConnectResponse, Health};

use super::error::{Reply, json};
use super::router::HttpState;

/// `GET /connect`
pub async fn connect(State(state): State<Arc<HttpState>>) -> Reply {
    connect_response(&state)
}

/// The response to `GET /connect`.
#[must_use]
pub fn connect_response(state: &HttpState) -> Reply {
    let timeouts = state.connect_timeouts;
    let connect = ConnectResponse {
        connection_timeout_ms: millis(timeouts.connection_timeout),
        keepalive_ms: millis(timeouts.keepalive),
    };
    Reply::json(StatusCode::OK, &connect)
}

/// `GET /health`
pub async fn health(State(state): State<Arc<HttpState>>) -> Response {
    let (waiting, deployments, executing) = state
        .dispatcher
        .read(|view| (view.parked_count(), view.deployment_count(), view.active_runs().len()));
    let health = Health {
        status: Cow::Borrowed(if state.connections.is_stopping() { "draining" } else { "ok" }),
        waiting_runners: waiting,
        deployments,
        executing_runners: executing,
        waiting_for_jobs: state.jobs.as_ref().map_or(0, |jobs| jobs.parked_poll_count()),
        connections: state.connections.open(),
        ack: Cow::Borrowed(state.dispatcher.ack_mode().as_str()),
        version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
        uptime_ms: state.clock.now().as_micros() / 1000,
    };
    json(StatusCode::OK, &health)
}
