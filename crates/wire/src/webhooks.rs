//! What others are told of a job (webhooks). Signed, so that whoever hears it can tell where it comes from: the header
//! `x-pilotlight-signature` is `sha256=` and the hex HMAC-SHA-256, under the shared secret, of the header
//! `x-pilotlight-timestamp` (epoch milliseconds), a full stop, and the body. `x-pilotlight-delivery` is the same for
//! all tries of one telling, so that a repeated one can be told.

use serde::{Deserialize, Serialize};

/// The body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookBody {
    /// What happened: `job.created`, `job.completed` or `job.failed`.
    pub event: String,
    /// The job.
    pub job_id: String,
    /// Its type.
    pub job_type: String,
    /// When it happened, in epoch milliseconds.
    pub at: u64,
}

/// The header with the time of the try.
pub const TIMESTAMP_HEADER: &str = "x-pilotlight-timestamp";

/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "x-pilotlight-signature";

/// The header that names the telling.
pub const DELIVERY_HEADER: &str = "x-pilotlight-delivery";
