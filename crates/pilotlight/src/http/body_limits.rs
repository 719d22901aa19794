//! How much callers and runners of jobs may send.

use pilotlight_core::limits::SMALL_BODY_BYTES;

/// Bytes of what comes with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Parameters, as JSON without white space.
    pub input: usize,
    /// A result, as JSON without white space.
    pub output: usize,
    /// What a command wrote.
    pub console: usize,
    /// Why there is no result.
    pub error: usize,
}

impl BodyLimits {
    /// Bytes of a body with so much in it: with white space between, escapes within, and small fields around.
    #[must_use]
    pub const fn max_body_bytes(content: usize) -> usize {
        content.saturating_mul(2).saturating_add(SMALL_BODY_BYTES)
    }
}
