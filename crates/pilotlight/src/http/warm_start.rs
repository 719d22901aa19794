//! `GET /warm-start`: a runner waits. `POST /warm-start`: a supervisor offers a run.
//!
//! A poll gets no byte before its run: its client stops its own time-out when a head arrives. So a poll is
//! answered 200, 400 or 410, or its connection is closed without a byte.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Body as _;
use hyper::header::{ALLOW, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use pilotlight_core::delivery::Answer;
use pilotlight_core::limits::{ENVELOPE_BYTES, RUN_BYTES};
use pilotlight_wire::warm_start::Offered;

use super::access::{FROM_A_PAGE, is_from_a_page};
use super::body;
use super::convert::{self, Wish};
use super::error::{self, Refusal, Reply};
use super::router::{Handles, Hangup};
use crate::dispatch::offer::tell;
use crate::dispatch::park::{Handed, Parked, Verdict, Way};
use crate::net::conn::Conn;

/// Bytes that an offer's body may have.
pub const OFFER_BYTES: usize = RUN_BYTES + ENVELOPE_BYTES;

/// `GET`: parks until a run comes.
pub async fn poll(
    State(handles): State<Arc<Handles>>,
    Extension(conn): Extension<Arc<Conn>>,
    request: Request,
) -> Response {
    if let Some(refusal) = unfit(&request) {
        return refusal.into_response();
    }
    let (key, runner) = match convert::poll(request.headers()) {
        Ok(poll) => poll,
        Err(refusal) => return refusal.into_response(),
    };
    // A request that is kept while it waits costs more than the poll itself.
    drop(request);
    let verdict = match handles.dispatcher.park(key, runner, Arc::clone(&conn), Way::Http) {
        Parked::Stay(mut stay) => tokio::select! {
            verdict = stay.verdict() => verdict,
            () = conn.peer_left() => None,
        },
        Parked::Retired => Some(Verdict::Retired),
        Parked::Closed => None,
    };
    match verdict {
        Some(Verdict::Run(handed)) => hand_over(&handles, &conn, handed),
        Some(Verdict::Retired) => Refusal::retired().into_response(),
        Some(Verdict::Answered) | None => Hangup::response(),
    }
}

/// Any other method; also `HEAD`, as a poll without its run makes no sense.
pub async fn no_such_method() -> Response {
    let mut response = error::no_such_method().await;
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,POST"));
    response
}

/// While an unread body is pending, nobody would notice that the client left.
fn unfit(poll: &Request) -> Option<Refusal> {
    if is_from_a_page(poll.headers()) {
        return Some(Refusal::bad_request(FROM_A_PAGE));
    }
    (!poll.body().is_end_stream()).then(|| Refusal::bad_request("a poll has no body"))
}

fn hand_over(handles: &Handles, conn: &Conn, handed: Handed) -> Response {
    let Handed { message, written } = handed;
    if written.is_closed() {
        // The supervisor left before a byte was written: the run is its again, and the runner asks anew.
        return Hangup::response();
    }
    conn.watch_answer(message.len(), tell(handles.dispatcher.proof()), written);
    Reply { status: StatusCode::OK, body: message }.into_response()
}

/// `POST`: offers a run.
pub async fn offer(State(handles): State<Arc<Handles>>, headers: HeaderMap, body: Body) -> Response {
    let body = if is_from_a_page(&headers) {
        Err(Refusal::forbidden(FROM_A_PAGE))
    } else {
        body::read(body, OFFER_BYTES).await
    };
    offered(&handles, body).await.into_response()
}

/// Offers the run that a body holds, and answers as the supervisor expects it.
pub async fn offered(handles: &Handles, body: Result<Bytes, Refusal>) -> Reply {
    match body.and_then(|body| convert::wish(&body)) {
        Ok(Wish::Run(run)) => told(handles.dispatcher.offer(run).await),
        Ok(Wish::Undeployed) => told(Answer::Cold),
        Err(refusal) => refused(refusal),
    }
}

fn told(answer: Answer) -> Reply {
    let body = match answer {
        Answer::Warm(_) => Bytes::from_static(br#"{"didWarmStart":true}"#),
        Answer::Cold => Bytes::from_static(br#"{"didWarmStart":false}"#),
    };
    Reply { status: StatusCode::OK, body }
}

fn refused(refusal: Refusal) -> Reply {
    let status = refusal.status();
    Reply::json(status, &Offered { did_warm_start: false, error: Some(refusal.into_text()) })
}
