//! Reads a complete request body, with a size limit and a timeout.

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use hyper::http::Extensions;
use pilotlight_core::limits::BODY_TIMEOUT;
use pilotlight_wire::json;
use pilotlight_wire::object::Object;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::http::error::ApiError;

/// The largest request body of a route, in bytes. The guard adds it to each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BodyLimit(pub usize);

impl BodyLimit {
    /// The limit of the route that got the request.
    ///
    /// # Panics
    /// When the request came past the guard.
    #[must_use]
    pub(crate) fn of(extensions: &Extensions) -> Self {
        *extensions.get().expect("the guard adds the limit to every request")
    }
}

/// Reads the whole body of a request, within its route's limit.
///
/// # Errors
/// As [`read`].
pub(crate) async fn read_request(request: Request) -> Result<Bytes, ApiError> {
    let BodyLimit(limit) = BodyLimit::of(request.extensions());
    read(request.into_body(), limit).await
}

/// Reads the whole body, at most `limit` bytes.
///
/// # Errors
/// 413 when the body is larger, 408 when it is not complete within [`BODY_TIMEOUT`], 400 when it ends early.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(ApiError::too_large(limit));
    }
    match timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await {
        Err(_) => Err(ApiError::body_timeout(BODY_TIMEOUT)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::too_large(limit)),
        Ok(Err(_)) => Err(ApiError::bad_request("the body ended early, or its framing is not valid HTTP")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

/// Parses a body that is one JSON object.
///
/// # Errors
/// A refusal that says what is expected, and names the field that is wrong.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8], expected: &str) -> Result<T, ApiError> {
    let Object(value) = json::from_slice(body).map_err(|error| {
        ApiError::bad_request(match error.field {
            Some(field) => format!("{field} is not valid: {expected}"),
            None => expected.to_owned(),
        })
    })?;
    Ok(value)
}
