//! Webhook requests about jobs. They are signed, so that the receiver can verify the sender: the header
//! `x-pilotlight-signature` is `sha256=` and the hex HMAC-SHA-256, with the shared secret as the key, of the header
//! `x-pilotlight-timestamp` (epoch milliseconds), a full stop, and the body. The header `x-pilotlight-delivery` is the
//! same in all attempts of one notification, so that the receiver can detect repetitions.

use serde::{Deserialize, Serialize};

/// The body of a webhook request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookBody {
    /// What happened: `job.created`, `job.completed` or `job.failed`.
    pub event: String,
    /// The job's id.
    pub job_id: String,
    /// The job's type.
    pub job_type: String,
    /// When it happened, in epoch milliseconds.
    pub at: u64,
}

/// The header with the time of the attempt.
pub const TIMESTAMP_HEADER: &str = "x-pilotlight-timestamp";

/// The header with the signature.
pub const SIGNATURE_HEADER: &str = "x-pilotlight-signature";

/// The header that identifies the notification.
pub const DELIVERY_HEADER: &str = "x-pilotlight-delivery";
