//! `/api/session`: sign-in to the dashboard. An operator sends an admin key once and gets a session cookie that scripts
//! cannot read, and a CSRF token that only the service's own page can read and that it sends with every change.
//! `session_store` has the open sessions.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, SET_COOKIE};
use pilotlight_core::access::{PresentedKey, Scope};
use pilotlight_core::limits::SESSION_LIFETIME;
use pilotlight_net::conn::Conn;
use pilotlight_wire::session::{KeyRequirement, Session, SignInRequest};

use crate::http::body;
use crate::http::edge::Edge;
use crate::http::error::{ApiError, json};
use crate::http::session_store::{COOKIE_NAME, NewSession};

/// `GET /api/session`: whether a sign-in is needed. Without admin keys it is not, and a session is opened only for its
/// CSRF token.
pub(crate) async fn read(
    State(edge): State<Arc<Edge>>,
    Extension(conn): Extension<Arc<Conn>>,
    headers: HeaderMap,
) -> Response {
    let (sessions, now) = (&edge.auth.sessions, edge.clock.now());
    match (sessions.token(&headers, now), key_requirement(&edge)) {
        (Some(token), key_requirement) => session_response(key_requirement, Some(token)),
        (None, KeyRequirement::NotNeeded) => {
            new_session_response(KeyRequirement::NotNeeded, sessions.open(now), &conn)
        }
        (None, KeyRequirement::Needed) => session_response(KeyRequirement::Needed, None),
    }
}

/// `POST /api/session`: signs in.
pub(crate) async fn sign_in(
    State(edge): State<Arc<Edge>>,
    Extension(conn): Extension<Arc<Conn>>,
    request: Request,
) -> Response {
    let body = body::read_request(request).await;
    let sign_in = body.and_then(|body| body::parse(&body, r#"expected {"key": "..."}"#));
    let SignInRequest { key } = match sign_in {
        Ok(sign_in) => sign_in,
        Err(error) => return error.into_response(),
    };
    match edge.auth.key(&key) {
        PresentedKey::Known(scopes) if scopes.contains(Scope::Admin) => {
            tracing::info!(peer = %conn.peer(), "an operator signed in");
            new_session_response(KeyRequirement::Needed, edge.auth.sessions.open(edge.clock.now()), &conn)
        }
        PresentedKey::Known(_) | PresentedKey::Unknown | PresentedKey::None => {
            edge.refused_sign_ins.inc();
            if edge.auth.sessions.record_wrong_key(edge.clock.now()) {
                return ApiError::too_many_requests("too many wrong keys; try again in a second")
                    .into_response();
            }
            tracing::warn!(peer = %conn.peer(), "sign-in refused: not a known admin key");
            ApiError::unauthorized("this key is not known, or is not an admin key").into_response()
        }
    }
}

/// `DELETE /api/session`: signs out.
pub(crate) async fn sign_out(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    edge.auth.sessions.close(&headers);
    session_response(key_requirement(&edge), None)
}

/// A sign-in is needed only when admin keys are configured; keys of other scopes do not close the page.
fn key_requirement(edge: &Edge) -> KeyRequirement {
    if edge.auth.keys().contains(Scope::Admin) { KeyRequirement::Needed } else { KeyRequirement::NotNeeded }
}

fn session_response(key: KeyRequirement, token: Option<String>) -> Response {
    json(StatusCode::OK, &Session { key, signed_in: token.is_some(), csrf: token })
}

fn new_session_response(key_requirement: KeyRequirement, session: NewSession, conn: &Conn) -> Response {
    let secure = if conn.is_tls() { "; Secure" } else { "" };
    let max_age = SESSION_LIFETIME.as_secs();
    let cookie = format!(
        "{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={max_age}{secure}",
        session.cookie
    );
    let mut response = session_response(key_requirement, Some(session.token));
    let cookie =
        HeaderValue::try_from(cookie).expect("hexadecimal digits and constants are a valid header value");
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}
