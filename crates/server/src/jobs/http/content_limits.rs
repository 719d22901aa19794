//! Maximum sizes of what callers and runners of jobs send, and of the request bodies that contain it.

use pilotlight_core::limits::SMALL_BODY_BYTES;

use crate::config::JobLimits;

/// Maximum sizes of the contents of a job, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentLimits {
    /// Parameters, as JSON without white space.
    pub input: usize,
    /// A result, as JSON without white space.
    pub output: usize,
    /// The console output of a job's command.
    pub console: usize,
    /// The error text of a failed job.
    pub error: usize,
}

impl ContentLimits {
    /// The limits of this configuration section.
    #[must_use]
    pub(super) const fn new(limits: &JobLimits) -> Self {
        Self {
            input: limits.input_bytes,
            output: limits.output_bytes,
            console: limits.console_bytes,
            error: limits.error_bytes,
        }
    }

    /// Maximum size of the body of a submission.
    #[must_use]
    pub(super) const fn submission_body(self) -> usize {
        max_body_bytes(self.input)
    }

    /// Maximum size of the body of a heartbeat.
    #[must_use]
    pub(super) const fn heartbeat_body(self) -> usize {
        max_body_bytes(self.console)
    }

    /// Maximum size of the body of a report with a result.
    #[must_use]
    pub(super) const fn result_body(self) -> usize {
        max_body_bytes(self.output.saturating_add(self.console))
    }

    /// Maximum size of the body of a report with an error.
    #[must_use]
    pub(super) const fn error_body(self) -> usize {
        max_body_bytes(self.error.saturating_add(self.console))
    }
}

/// Maximum size of a request body with `content` bytes of content. It allows for white space between JSON tokens,
/// escapes in strings, and small fields.
#[must_use]
pub(super) const fn max_body_bytes(content: usize) -> usize {
    content.saturating_mul(2).saturating_add(SMALL_BODY_BYTES)
}
