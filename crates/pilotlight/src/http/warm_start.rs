//! `GET /warm-start`: a runner waits. `POST /warm-start`: a supervisor offers a run.
//!
//! A poll gets no byte before its run: its client stops its own time-out when a head arrives. So a poll is
//! answered 200, 400, 401 or 410, or its connection is closed without a byte.

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
use pilotlight_core::trace_context::TraceParent;
use pilotlight_wire::warm_start::OfferResponse;

use super::access;
use super::body;
use super::convert::{self, Headers, OfferBody};
use super::error::{self, ApiError, Reply};
use super::router::{CloseConnection, HttpState};
use crate::dispatch::offer::{Run, ack_request};
use crate::dispatch::park::{OutgoingRun, ParkOutcome, PollOutcome, ResponsePath};
use crate::net::conn::Conn;

/// Bytes that an offer's body may have.
pub const OFFER_BYTES: usize = RUN_BYTES + ENVELOPE_BYTES;

/// `GET`: parks until a run comes.
pub async fn poll(
    State(state): State<Arc<HttpState>>,
    Extension(conn): Extension<Arc<Conn>>,
    request: Request,
) -> Response {
    if let Err(denied) = access::authorize_request(&state, Permission::Protocol, &request) {
        return denied_poll(denied);
    }
    if !request.body().is_end_stream() {
        // While an unread body is pending, nobody would notice that the client left.
        return ApiError::bad_request("a poll has no body").into_response();
    }
    let (key, runner) = match read_poll(&state, request.headers()) {
        Ok(read_poll) => read_poll,
        Err(error) => return error.into_response(),
    };
    // A request that is kept while it waits costs more than the poll itself.
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

/// Any other method; also `HEAD`, as a poll without its run makes no sense.
pub async fn method_not_allowed() -> Response {
    let mut response = error::method_not_allowed().await;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,POST"));
    response
}

/// Who polls, and for what.
///
/// # Errors
/// A refusal that says what is wrong with its headers, or its token.
pub fn read_poll(state: &HttpState, headers: &impl Headers) -> Result<(PoolKey, Runner), ApiError> {
    let (key, runner) = convert::poll_params(headers)?;
    Ok((state.tokens.resolve_key(key)?, runner))
}

/// Of the statuses that the protocol leaves to a poll, 400 says that it must be sent otherwise.
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

fn hand_over(state: &HttpState, conn: &Conn, outgoing: OutgoingRun) -> Response {
    let OutgoingRun { message, written } = outgoing;
    if written.is_closed() {
        // The supervisor left before a byte was written: the run is its again, and the runner asks anew.
        return CloseConnection::response();
    }
    conn.watch_response(message.len(), ack_request(state.dispatcher.ack_mode()), written);
    Reply { status: StatusCode::OK, body: message }.into_response()
}

/// `POST`: offers a run.
pub async fn offer(State(state): State<Arc<HttpState>>, request: Request) -> Response {
    let trace = convert::trace_parent(request.headers());
    let allowed = access::authorize_request(&state, Permission::Protocol, &request).map_err(ApiError::from);
    // What comes in chunks may become as large as any.
    let bytes = request
        .body()
        .size_hint()
        .exact()
        .map_or(OFFER_BYTES, |bytes| convert::saturating_usize(bytes).min(OFFER_BYTES));
    let (body, _permit) = match allowed.and_then(|()| state.body_budget.take(bytes)) {
        Ok(permit) => (body::read(request.into_body(), OFFER_BYTES).await, permit),
        Err(error) => (Err(error), None),
    };
    handle_offer(&state, body, trace).await.into_response()
}

/// Offers the run that a body holds, and answers as the supervisor expects it.
pub async fn handle_offer(
    state: &HttpState,
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
