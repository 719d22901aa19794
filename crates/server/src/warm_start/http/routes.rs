//! The routes of warm starts.

use std::sync::Arc;
use std::time::Duration;

use axum::routing::{MethodRouter, delete, get, post};
use pilotlight_core::access::Permission;
use pilotlight_core::limits::SMALL_BODY_BYTES;
use pilotlight_wire::dashboard::Config as ShownSettings;

use crate::http::close::CloseConnection;
use crate::http::edge::Edge;
use crate::http::error;
use crate::http::route::{Audience, Route};
use crate::warm_start::dispatcher::Dispatcher;
use crate::warm_start::http::token::Tokens;
use crate::warm_start::http::{overview, protocol, retire};

/// The state that the handlers of warm starts share.
#[derive(Debug)]
pub(crate) struct WarmStartState {
    pub(crate) edge: Arc<Edge>,
    /// Matches runs with polls.
    pub(crate) dispatcher: Arc<Dispatcher>,
    /// Reads and verifies deployment tokens.
    pub(crate) tokens: Tokens,
    pub(crate) connect_timeouts: ConnectTimeouts,
    /// The settings that `GET /api/dashboard` returns.
    pub(crate) shown_settings: ShownSettings,
}

/// The timeouts that `GET /connect` returns to runners (`docs/protocols/warm-start.md`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConnectTimeouts {
    /// A runner aborts a poll after this time and polls again.
    pub(crate) connection_timeout: Duration,
    /// A runner exits when it got no run for this long.
    pub(crate) keepalive: Duration,
}

type WarmStartRoute = Route<Arc<WarmStartState>>;

/// The routes for runners and supervisors, and for operators.
pub(crate) fn routes(state: &Arc<WarmStartState>) -> Vec<Route> {
    let all = protocol_routes().into_iter().chain(operator_routes());
    all.map(|route| route.with_state(Arc::clone(state))).collect()
}

/// The protocol, on two paths each. Runners and supervisors send no credentials, and their requests never come from a
/// web page. A refused poll needs a response of its own, so the handlers of `/warm-start` check the permission.
fn protocol_routes() -> Vec<WarmStartRoute> {
    let connect = |path| Route::new(path, get(protocol::connect), Permission::Protocol);
    let warm_start = |path| {
        let methods = get(protocol::poll)
            .post(protocol::offer)
            .head(protocol::method_not_allowed)
            .fallback(protocol::method_not_allowed);
        Route::new(path, methods, Permission::Protocol).body(protocol::OFFER_BYTES).checked_by_handler()
    };
    vec![
        connect("/connect"),
        connect("/api/connect"),
        warm_start("/warm-start"),
        warm_start("/api/warm-start"),
    ]
}

/// What the dashboard page reads and changes.
fn operator_routes() -> Vec<WarmStartRoute> {
    let page = |path, methods: MethodRouter<Arc<WarmStartState>>, permission| {
        Route::new(path, methods, permission).audience(Audience::Page)
    };
    vec![
        page("/api/dashboard", get(overview::read), Permission::DashboardRead),
        page("/api/dashboard", delete(overview::clear), Permission::DashboardWrite),
        page("/api/admin/retire", post(retire::retire), Permission::DashboardWrite).body(SMALL_BODY_BYTES),
    ]
}

/// Routes that close polls without a response, for listeners that do not serve the warm-start protocol. On an error
/// response, such as a 404, the runner would exit (`docs/protocols/warm-start.md`).
pub(crate) fn closing_routes() -> Vec<Route> {
    let close = || get(|| async { CloseConnection::response() }).fallback(error::path_not_found);
    let route = |path| Route::new(path, close(), Permission::Protocol).checked_by_handler();
    vec![route("/warm-start"), route("/api/warm-start")]
}
