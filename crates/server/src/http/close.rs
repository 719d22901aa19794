//! A response that closes the connection instead.

use axum::body::Body;
use axum::response::Response;

/// Marks a response that is not sent: the connection is closed without a byte instead.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection is closed without a response on purpose")]
pub(crate) struct CloseConnection;

impl CloseConnection {
    /// A response with this mark.
    #[must_use]
    pub(crate) fn response() -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(Self);
        response
    }
}
