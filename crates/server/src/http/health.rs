//! `GET /health`: whether the service is up, and the counts of its capabilities.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use hyper::StatusCode;
use pilotlight_core::access::Permission;
use pilotlight_core::delivery::AckMode;
use pilotlight_net::clock::Clock;
use pilotlight_net::listener::Connections;
use pilotlight_wire::warm_start::Health;

use crate::capability::Status;
use crate::http::error::json;
use crate::http::route::{Audience, Route};

/// What the handler reads.
#[derive(Debug)]
pub(crate) struct HealthState {
    pub(crate) statuses: Vec<Arc<dyn Status>>,
    pub(crate) connections: Connections,
    pub(crate) ack_mode: AckMode,
    pub(crate) clock: Clock,
}

/// The routes, on two paths.
pub(crate) fn routes(state: HealthState) -> Vec<Route> {
    let state = Arc::new(state);
    let route = |path| {
        let methods = get(health).with_state(Arc::clone(&state));
        Route::new(path, methods, Permission::Protocol).audience(Audience::Everyone)
    };
    vec![route("/health"), route("/api/health")]
}

/// `GET /health`
async fn health(State(state): State<Arc<HealthState>>) -> Response {
    let mut health = Health {
        status: Cow::Borrowed(if state.connections.is_stopping() { "draining" } else { "ok" }),
        waiting_runners: 0,
        deployments: 0,
        executing_runners: 0,
        waiting_for_jobs: 0,
        connections: state.connections.open(),
        ack: Cow::Borrowed(state.ack_mode.as_str()),
        version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
        uptime_ms: state.clock.now().as_micros() / 1000,
    };
    state.statuses.iter().for_each(|status| status.add_to_health(&mut health));
    json(StatusCode::OK, &health)
}
