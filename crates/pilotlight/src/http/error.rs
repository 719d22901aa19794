//! Every refusal, and its status. The text says what is wrong and what is expected, and never repeats payloads.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use pilotlight_wire::warm_start::Refused;
use serde::Serialize;

/// A request that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    /// Its status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// 400
    #[must_use]
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    /// 403
    #[must_use]
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, text: text.into() }
    }

    /// 408
    #[must_use]
    pub fn too_slow(within: Duration) -> Self {
        let text = format!("the body was not complete within {} s", within.as_secs());
        Self { status: StatusCode::REQUEST_TIMEOUT, text }
    }

    /// 410
    #[must_use]
    pub fn retired() -> Self {
        Self { status: StatusCode::GONE, text: "this runner is retired".into() }
    }

    /// 413
    #[must_use]
    pub fn too_large(limit: usize) -> Self {
        let text = format!("the body is larger than {limit} bytes");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, text }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json(self.status, &Refused { error: self.text })
    }
}

/// A path we do not know.
pub async fn no_such_path() -> Response {
    let text = "there is no such path; see /health, /connect, /warm-start, /api/dashboard, /metrics";
    Refusal { status: StatusCode::NOT_FOUND, text: text.into() }.into_response()
}

/// A path we know, called by another method.
pub async fn no_such_method() -> Response {
    let text = "this path does not answer that method";
    Refusal { status: StatusCode::METHOD_NOT_ALLOWED, text: text.into() }.into_response()
}

/// A JSON answer.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("wire types have string keys and finite numbers");
    json_bytes(status, body.into())
}

/// A JSON answer that is bytes already.
pub fn json_bytes(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
