//! The response to a request that exceeds a rate limit.

use serde::Serialize;
use utoipa::ToSchema;

/// Body of a response with status 429.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RateLimited)]
pub struct RateLimitBody {
    /// The error message.
    pub error: String,
    /// When the request is allowed again, in epoch milliseconds.
    #[serde(rename = "resetTime")]
    pub reset_time: u64,
}
