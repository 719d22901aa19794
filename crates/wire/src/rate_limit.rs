//! What somebody hears who asks for jobs too often.

use serde::Serialize;
use utoipa::ToSchema;

/// Body of a 429.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RateLimited)]
pub struct RateLimitBody {
    /// What is wrong.
    pub error: String,
    /// When to ask again: epoch milliseconds.
    #[serde(rename = "resetTime")]
    pub reset_time: u64,
}
