//! `/api/session`: sign-in to the dashboard. An operator sends an admin key once and gets a session cookie that scripts
//! cannot read, and a CSRF token that only the service's own page can read and that it sends with every change.
//! Sessions are stored in memory only: after a restart operators sign in again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use pilotlight_core::access::{self, PresentedKey, Scope};
use pilotlight_core::limits::{MAX_FAILED_SIGN_INS_PER_SECOND, MAX_SESSIONS, SESSION_LIFETIME};
use pilotlight_core::time::Moment;
use pilotlight_wire::session::{KeyRequirement, Session, SignInRequest};
use subtle::ConstantTimeEq;

use crate::http::auth::hash;
use crate::http::body;
use crate::http::edge::Edge;
use crate::http::error::{ApiError, json};
use pilotlight_net::conn::Conn;

/// The header in which the page sends its CSRF token.
pub(crate) const TOKEN_HEADER: &str = "x-csrf-token";

const COOKIE_NAME: &str = "pilotlight_session";

/// The open sessions, the oldest first, and recent failed sign-ins.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: Mutex<VecDeque<OpenSession>>,
    failures: Mutex<Failures>,
}

/// The number of wrong keys in the current second.
#[derive(Debug, Default)]
struct Failures {
    second: u64,
    count: u32,
}

#[derive(Debug)]
struct OpenSession {
    cookie: [u8; 32],
    token: String,
    until: Moment,
}

/// The secrets of a session that was just opened.
struct NewSession {
    cookie: String,
    token: String,
}

impl Sessions {
    /// The session that these headers belong to, and whether they have its CSRF token.
    #[must_use]
    pub(crate) fn presented(&self, headers: &HeaderMap, now: Moment) -> access::SessionState {
        match (self.token(headers, now), headers.get(TOKEN_HEADER)) {
            (None, _) => access::SessionState::None,
            (Some(token), Some(sent)) if bool::from(token.as_bytes().ct_eq(sent.as_bytes())) => {
                access::SessionState::WithCsrfToken
            }
            (Some(_), _) => access::SessionState::Open,
        }
    }

    fn token(&self, headers: &HeaderMap, now: Moment) -> Option<String> {
        let cookie = hash(cookie(headers)?);
        let mut open = self.lock();
        open.retain(|session| now < session.until);
        open.iter().find(|session| bool::from(session.cookie.ct_eq(&cookie))).map(|open| open.token.clone())
    }

    fn open(&self, now: Moment) -> NewSession {
        let (cookie, token) = (random(), random());
        let mut open = self.lock();
        if open.len() == MAX_SESSIONS {
            open.pop_front();
        }
        open.push_back(OpenSession {
            cookie: hash(&cookie),
            token: token.clone(),
            until: now.after(SESSION_LIFETIME),
        });
        NewSession { cookie, token }
    }

    /// Counts a wrong key. Returns whether there were too many in this second: no person types so fast.
    fn record_wrong_key(&self, now: Moment) -> bool {
        let mut failures = self.failures.lock().expect("nothing panics under this lock");
        let second = now.as_micros() / 1_000_000;
        if failures.second != second {
            *failures = Failures { second, count: 0 };
        }
        failures.count += 1;
        failures.count > MAX_FAILED_SIGN_INS_PER_SECOND
    }

    fn close(&self, headers: &HeaderMap) {
        if let Some(cookie) = cookie(headers).map(hash) {
            self.lock().retain(|session| session.cookie != cookie);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<OpenSession>> {
        self.open.lock().expect("nothing panics under this lock")
    }
}

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

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|pairs| pairs.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
}

/// 32 random bytes as 64 hexadecimal digits.
fn random() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system provides random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str, token: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, format!("a=b; {COOKIE_NAME}={cookie}; c=d").parse().unwrap());
        if let Some(token) = token {
            headers.insert(TOKEN_HEADER, token.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_session_is_recognized_by_its_cookie_and_token_and_ends() {
        let sessions = Sessions::default();
        let start = Moment::from_millis(5);
        let NewSession { cookie, token } = sessions.open(start);
        let presented = |cookie: &str, token| sessions.presented(&headers(cookie, token), start);
        assert_eq!(presented(&cookie, None), access::SessionState::Open);
        assert_eq!(presented(&cookie, Some(&token)), access::SessionState::WithCsrfToken);
        assert_eq!(presented(&cookie, Some("x")), access::SessionState::Open);
        assert_eq!(presented("x", Some(&token)), access::SessionState::None);
        let end = start.after(SESSION_LIFETIME);
        assert_eq!(sessions.presented(&headers(&cookie, None), end), access::SessionState::None);
    }

    #[test]
    fn signing_out_closes_the_session_and_opening_too_many_closes_the_oldest() {
        let sessions = Sessions::default();
        let now = Moment::from_millis(5);
        let first = sessions.open(now);
        let second = sessions.open(now);
        sessions.close(&headers(&second.cookie, None));
        assert_eq!(sessions.presented(&headers(&second.cookie, None), now), access::SessionState::None);
        assert_eq!(sessions.presented(&headers(&first.cookie, None), now), access::SessionState::Open);
        (0..MAX_SESSIONS).for_each(|_| _ = sessions.open(now));
        assert_eq!(sessions.presented(&headers(&first.cookie, None), now), access::SessionState::None);
    }
}
