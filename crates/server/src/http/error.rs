//! The error responses of the API, each with its HTTP status, and how errors of `core` and the store map to them. An
//! error text says what is wrong and what is expected. It must never contain payloads.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use pilotlight_core::access::AccessDenied;
use pilotlight_store::Error;
use pilotlight_wire::rate_limit::RateLimitBody;
use pilotlight_wire::warm_start::ErrorBody;
use serde::Serialize;

use crate::http::date::Date;
use crate::telemetry::log_throttle::LogThrottle;

/// An error response: a status and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    text: String,
}

impl ApiError {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The error text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// 400: the request is not valid.
    #[must_use]
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    /// 401: a key or token is missing or not valid.
    #[must_use]
    pub fn unauthorized(text: impl Into<String>) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, text: text.into() }
    }

    /// 429: the caller sends too many requests.
    #[must_use]
    pub fn too_many_requests(text: impl Into<String>) -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, text: text.into() }
    }

    /// 403: the caller has no permission.
    #[must_use]
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, text: text.into() }
    }

    /// 404: the path or the thing that it names does not exist.
    #[must_use]
    pub fn not_found(text: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, text: text.into() }
    }

    /// 409: the request contradicts the present state.
    #[must_use]
    pub fn conflict(text: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, text: text.into() }
    }

    /// 408: the request's body did not arrive in time.
    #[must_use]
    pub fn body_timeout(within: Duration) -> Self {
        let text = format!("the body was not complete within {} s", within.as_secs());
        Self { status: StatusCode::REQUEST_TIMEOUT, text }
    }

    /// 410: an operator retired the runner, so it exits.
    #[must_use]
    pub fn runner_retired() -> Self {
        Self { status: StatusCode::GONE, text: "this runner is retired".into() }
    }

    /// 413: the request's body is larger than `limit` bytes.
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let text = format!("the body is larger than {limit} bytes");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, text }
    }

    /// 503: the service cannot answer now; the client may retry.
    #[must_use]
    pub fn unavailable(text: impl Into<String>) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, text: text.into() }
    }
}

impl From<AccessDenied> for ApiError {
    fn from(denied: AccessDenied) -> Self {
        match denied {
            AccessDenied::NoKey
            | AccessDenied::UnknownKey
            | AccessDenied::WrongKey(_)
            | AccessDenied::NoneConfigured(_) => Self::unauthorized(denied.to_string()),
            AccessDenied::Network
            | AccessDenied::FromWebPage
            | AccessDenied::OtherMachine
            | AccessDenied::BehindProxy
            | AccessDenied::NonLoopbackHost
            | AccessDenied::WrongScope
            | AccessDenied::NoCsrfToken => Self::forbidden(denied.to_string()),
        }
    }
}

/// Limits the log lines about a failing store, because every call fails while the store does not answer.
static STORE_FAILED: LogThrottle = LogThrottle::new();

/// Every store error becomes a 503, because the store may answer again later. The database's own error text is only
/// logged and never sent to the client.
impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        if let Some(suppressed) = STORE_FAILED.allow() {
            tracing::warn!(error = error_chain(&error), unsaid = suppressed, "the store failed");
        }
        match error {
            Error::DiskFull | Error::ReadOnly | Error::SchemaTooNew { .. } | Error::InUse => {
                Self::unavailable(error.to_string())
            }
            Error::Unavailable(_) | Error::Corrupt(_) | Error::Database(_) => {
                Self::unavailable("the store does not answer; try again in a second")
            }
        }
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let header = match self.status {
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer")),
            StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, "1")),
            _ => None,
        };
        let mut response = Reply::from(self).into_response();
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// 429: the caller exceeded a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimitExceeded {
    /// How long the caller must wait before the next request.
    pub retry_after: Duration,
    /// When the caller may send the next request, in milliseconds since 1970.
    pub reset_at_ms: u64,
}

impl IntoResponse for RateLimitExceeded {
    fn into_response(self) -> Response {
        let seconds = self.retry_after.as_millis().div_ceil(1000).max(1);
        let error = format!("too many requests; retry in {seconds} s");
        let body = RateLimitBody { error, reset_time: self.reset_at_ms };
        let mut response = json(StatusCode::TOO_MANY_REQUESTS, &body);
        let seconds = HeaderValue::try_from(seconds.to_string()).expect("digits are a valid header value");
        response.headers_mut().insert(RETRY_AFTER, seconds);
        response
    }
}

/// A JSON response with its whole body. Both HTTP paths write it: axum's and the fast path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The JSON body.
    pub body: Bytes,
}

impl Reply {
    /// A response with this value as JSON.
    #[must_use]
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("wire types have string keys and finite numbers");
        Self { status, body: body.into() }
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        Self::json(error.status, &ErrorBody { error: error.text })
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// The response for an unknown path: 404.
pub(crate) async fn path_not_found() -> Response {
    let text = "there is no such path; see /health, /connect, /warm-start, /api/openapi.json, /api/dashboard, /metrics";
    ApiError { status: StatusCode::NOT_FOUND, text: text.into() }.into_response()
}

/// The response for a known path with a method that it does not support: 405.
pub(crate) async fn method_not_allowed() -> Response {
    let text = "this path does not support that method";
    ApiError { status: StatusCode::METHOD_NOT_ALLOWED, text: text.into() }.into_response()
}

/// A JSON response.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    Reply::json(status, value).into_response()
}

/// The head of a JSON response with a body of `body_bytes` bytes, for responses that are written without hyper.
#[must_use]
pub(crate) fn head(status: StatusCode, body_bytes: usize, reuse: ConnectionReuse) -> BytesMut {
    let mut head = BytesMut::with_capacity(HEAD_CAPACITY);
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(status.as_str().as_bytes());
    head.extend_from_slice(b" ");
    head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    head.extend_from_slice(b"\r\ncontent-type: application/json\r\ncontent-length: ");
    head.extend_from_slice(body_bytes.to_string().as_bytes());
    head.extend_from_slice(b"\r\ndate: ");
    head.extend_from_slice(Date::now().as_bytes());
    head.extend_from_slice(match reuse {
        ConnectionReuse::KeepAlive => b"\r\n\r\n",
        ConnectionReuse::Close => b"\r\nconnection: close\r\n\r\n",
    });
    head
}

/// Whether the connection is reused after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionReuse {
    /// The connection stays open for the next request.
    KeepAlive,
    /// The connection is closed.
    Close,
}

/// Enough for the head and a short body, in bytes.
const HEAD_CAPACITY: usize = 256;

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn a_rate_limited_caller_learns_when_to_retry() {
        for (millis, seconds) in [(1, "1"), (1000, "1"), (1001, "2"), (59_001, "60")] {
            let wait = Duration::from_millis(millis);
            let response =
                RateLimitExceeded { retry_after: wait, reset_at_ms: 1_700_000_000_000 }.into_response();
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(response.headers()[RETRY_AFTER], seconds);
            let body = to_bytes(response.into_body(), 1024).await.unwrap();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["resetTime"], 1_700_000_000_000_u64);
            assert!(body["error"].is_string(), "{body}");
        }
    }
}
