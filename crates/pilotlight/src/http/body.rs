//! Reads a request's body whole, within its limit and its time.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use pilotlight_core::limits::BODY_TIMEOUT;
use tokio::time::timeout;

use super::error::ApiError;

/// Reads it, up to `limit` bytes.
///
/// # Errors
/// A refusal that says which limit was passed.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(ApiError::too_large(limit));
    }
    match timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await {
        Err(_) => Err(ApiError::body_timeout(BODY_TIMEOUT)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::too_large(limit)),
        Ok(Err(_)) => Err(ApiError::bad_request("the body ended early or is not well framed")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}
