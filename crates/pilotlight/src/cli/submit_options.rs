//! What a caller may wish for besides the job itself, and how long to stay for its end.

use std::time::Duration;

use pilotlight_core::time::{Timestamp, millis};
use pilotlight_wire::requests;

use super::datetime;
use crate::config;

/// What is wished for.
#[derive(Debug, clap::Args)]
pub(super) struct SubmitOptions {
    /// How long the result stays valid; for ever when missing.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ttl: Option<Duration>,
    /// A part of what makes two jobs the same: a new version of your code computes anew.
    #[arg(long, value_name = "TEXT")]
    code_version: Option<String>,
    /// Higher ones go first.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Not before this time, such as 2026-11-23T04:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = datetime::parse)]
    run_at: Option<Timestamp>,
    /// Not before so long from now, by this machine's clock.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "run_at")]
    delay: Option<Duration>,
    /// Tries before a failure is final.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    max_attempts: Option<u32>,
    /// The pause after the first failed try; each further one doubles it.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    retry_backoff: Option<Duration>,
    /// Makes a fresh submission safe to repeat: by the same key it is the same job.
    #[arg(long, value_name = "TEXT")]
    pub(super) idempotency_key: Option<String>,
}

impl SubmitOptions {
    /// As they are sent; `fresh` is another option's.
    pub(super) fn wire(&self) -> requests::SubmitOptions<'_> {
        let later = self.delay.map(|delay| datetime::now().after(delay));
        requests::SubmitOptions {
            code_version: self.code_version.as_deref(),
            fresh: None,
            priority: self.priority,
            run_at: self.run_at.or(later).map(Timestamp::as_millis),
            max_attempts: self.max_attempts,
            retry_backoff_ms: self.retry_backoff.map(millis),
            ttl_ms: self.ttl.map(millis),
        }
    }
}

/// Whether and how long to stay.
#[derive(Debug, clap::Args)]
pub(super) struct WaitOptions {
    /// Wait for the job's end: its console is written to stderr as it grows, its result to stdout. Ctrl-C leaves, and the
    /// job goes on.
    #[arg(long)]
    pub(super) wait: bool,
    /// Wait so long at most.
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "wait")]
    pub(super) timeout: Option<Duration>,
    /// Let Ctrl-C cancel the job instead of leaving it. With several callers it goes on for the others.
    #[arg(long, requires = "wait")]
    cancel_on_interrupt: bool,
}

/// What becomes of the job when whoever waits for it is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnInterrupt {
    Leave,
    Cancel,
}

impl WaitOptions {
    pub(super) const fn on_interrupt(&self) -> OnInterrupt {
        if self.cancel_on_interrupt { OnInterrupt::Cancel } else { OnInterrupt::Leave }
    }
}

/// Of all options that are times.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    config::parse_duration(text).ok_or_else(|| "expected a time such as 90s or 5m".to_owned())
}
