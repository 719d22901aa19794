//! `GET /warm-start`: a runner polls for a run. `POST /warm-start`: a supervisor offers a run
//! (`docs/protocols/warm-start.md`).
//!
//! No byte may be sent to a poll before its run, because the client stops its own timeout when a response head arrives.
//! A poll ends with 200, 400, 401 or 410, or its connection is closed without a byte.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Body as _;
use hyper::header::{ALLOW, HeaderValue};
use pilotlight_core::access::{AccessDenied, Permission};
use pilotlight_core::delivery::OfferOutcome;
use pilotlight_core::ids::Runner;
use pilotlight_core::limits::{ENVELOPE_BYTES, RUN_BYTES};
use pilotlight_core::pool::PoolKey;
use pilotlight_core::time::millis;
use pilotlight_core::trace_context::TraceParent;
use pilotlight_net::conn::Conn;
use pilotlight_wire::warm_start::{ConnectResponse, OfferResponse};

use crate::http::access;
use crate::http::body::{self, BodyLimit};
use crate::http::close::CloseConnection;
use crate::http::error::{self, ApiError, Reply};
use crate::http::headers::{self, Headers};
use crate::warm_start::http::WarmStartState;
use crate::warm_start::http::convert::{self, OfferBody};
use crate::warm_start::park::ParkOutcome;
use crate::warm_start::poll_handle::{OutgoingRun, PollOutcome, ResponsePath};
use crate::warm_start::run::Run;

/// Maximum size of an offer's body, in bytes.
pub(super) const OFFER_BYTES: usize = RUN_BYTES + ENVELOPE_BYTES;

/// `GET /warm-start`: parks the poll until a run comes.
pub(super) async fn poll(
    State(state): State<Arc<WarmStartState>>,
    Extension(conn): Extension<Arc<Conn>>,
    request: Request,
) -> Response {
    if let Err(denied) = access::authorize_request(&state.edge, Permission::Protocol, &request) {
        return denied_poll(denied);
    }
    if !request.body().is_end_stream() {
        // With an unread body in the socket, the service could not see that the client closes the connection.
        return ApiError::bad_request("a poll must not have a body").into_response();
    }
    let (key, runner) = match read_poll(&state, request.headers()) {
        Ok(read_poll) => read_poll,
        Err(error) => return error.into_response(),
    };
    // Dropped before the wait, because the request needs more memory than the parked poll.
    drop(request);
    let outcome = match state.dispatcher.park(key, runner, Arc::clone(&conn), ResponsePath::Http) {
        ParkOutcome::Parked(mut parked) => tokio::select! {
            outcome = parked.outcome() => outcome,
            () = conn.peer_closed() => None,
        },
        ParkOutcome::Retired => Some(PollOutcome::Retired),
        ParkOutcome::Closed => None,
    };
    match outcome {
        Some(PollOutcome::Run(outgoing)) => hand_over(&state, &conn, outgoing),
        Some(PollOutcome::Retired) => ApiError::runner_retired().into_response(),
        Some(PollOutcome::Answered) | None => CloseConnection::response(),
    }
}

/// `GET /connect`
pub(super) async fn connect(State(state): State<Arc<WarmStartState>>) -> Reply {
    connect_response(&state)
}

/// The response to `GET /connect`.
#[must_use]
pub(super) fn connect_response(state: &WarmStartState) -> Reply {
    let timeouts = state.connect_timeouts;
    let connect = ConnectResponse {
        connection_timeout_ms: millis(timeouts.connection_timeout),
        keepalive_ms: millis(timeouts.keepalive),
    };
    Reply::json(StatusCode::OK, &connect)
}

/// The response for any other method: 405. This includes `HEAD`, because a poll must get its run in the body.
pub(super) async fn method_not_allowed() -> Response {
    let mut response = error::method_not_allowed().await;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,POST"));
    response
}

/// The pool key and the runner of a poll, with its deployment token resolved.
///
/// # Errors
/// 400 when a header is wrong, 401 when the token is refused.
pub(super) fn read_poll(
    state: &WarmStartState,
    headers: &impl Headers,
) -> Result<(PoolKey, Runner), ApiError> {
    let (key, runner) = convert::poll_params(headers)?;
    Ok((state.tokens.resolve_key(key)?, runner))
}

/// The response to a poll without permission. A poll may only get 200, 400, 401 or 410. Web pages get a 400; every
/// other refused poll is closed without a byte, because its client would exit on an error.
fn denied_poll(denied: AccessDenied) -> Response {
    match denied {
        AccessDenied::FromWebPage => ApiError::bad_request(denied.to_string()).into_response(),
        AccessDenied::Network
        | AccessDenied::OtherMachine
        | AccessDenied::BehindProxy
        | AccessDenied::NonLoopbackHost
        | AccessDenied::NoKey
        | AccessDenied::UnknownKey
        | AccessDenied::WrongScope
        | AccessDenied::WrongKey(_)
        | AccessDenied::NoneConfigured(_)
        | AccessDenied::NoCsrfToken => CloseConnection::response(),
    }
}

fn hand_over(state: &WarmStartState, conn: &Conn, outgoing: OutgoingRun) -> Response {
    let OutgoingRun { message, written } = outgoing;
    if written.is_closed() {
        // The supervisor left before a byte was written. The run stays with it, and the runner polls again.
        return CloseConnection::response();
    }
    conn.watch_response(message.len(), state.dispatcher.ack_mode().into(), written);
    Reply { status: StatusCode::OK, body: message }.into_response()
}

/// `POST /warm-start`: offers a run.
pub(super) async fn offer(State(state): State<Arc<WarmStartState>>, request: Request) -> Response {
    let trace = headers::trace_parent(request.headers());
    let allowed =
        access::authorize_request(&state.edge, Permission::Protocol, &request).map_err(ApiError::from);
    let BodyLimit(at_most) = BodyLimit::of(request.extensions());
    let body = request.into_body();
    let permit = allowed.and_then(|()| state.edge.body_budget.take_for(&body, at_most));
    let (body, _permit) = match permit {
        Ok(permit) => (body::read(body, at_most).await, permit),
        Err(error) => (Err(error), None),
    };
    handle_offer(&state, body, trace).await.into_response()
}

/// Offers the run in this body and returns the response for the supervisor. An error response also has
/// `"didWarmStart": false`.
pub(super) async fn handle_offer(
    state: &WarmStartState,
    body: Result<Bytes, ApiError>,
    trace: Option<TraceParent>,
) -> Reply {
    match body.and_then(|body| convert::offer_body(&body)) {
        Ok(OfferBody::Run(run)) => offer_reply(state.dispatcher.offer(Run { trace, ..run }).await),
        Ok(OfferBody::Undeployed) => offer_reply(OfferOutcome::Cold),
        Err(error) => offer_error_reply(error),
    }
}

fn offer_reply(outcome: OfferOutcome) -> Reply {
    let body = match outcome {
        OfferOutcome::Warm(_) => Bytes::from_static(br#"{"didWarmStart":true}"#),
        OfferOutcome::Cold => Bytes::from_static(br#"{"didWarmStart":false}"#),
    };
    Reply { status: StatusCode::OK, body }
}

fn offer_error_reply(error: ApiError) -> Reply {
    let status = error.status();
    Reply::json(status, &OfferResponse { did_warm_start: false, error: Some(error.into_text()) })
}
