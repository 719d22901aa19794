//! Maximum sizes of what callers and runners of jobs send.

use pilotlight_core::limits::SMALL_BODY_BYTES;

/// Maximum sizes of the contents of a job, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Parameters, as JSON without white space.
    pub input: usize,
    /// A result, as JSON without white space.
    pub output: usize,
    /// The console output of a job's command.
    pub console: usize,
    /// The error text of a failed job.
    pub error: usize,
}

impl BodyLimits {
    /// Maximum size of a request body with `content` bytes of content. It allows for white space between JSON tokens,
    /// escapes in strings, and small fields.
    #[must_use]
    pub const fn max_body_bytes(content: usize) -> usize {
        content.saturating_mul(2).saturating_add(SMALL_BODY_BYTES)
    }
}
