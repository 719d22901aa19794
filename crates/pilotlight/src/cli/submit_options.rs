//! Options of a submission, and options for waiting for the job's end.

use std::time::Duration;

use pilotlight_core::time::{Timestamp, millis};
use pilotlight_server::config;
use pilotlight_wire::requests;

use super::datetime;

/// Options of a submission.
#[derive(Debug, clap::Args)]
pub(super) struct SubmitOptions {
    /// How long the result stays valid; without this option, for ever.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ttl: Option<Duration>,
    /// A version of your code, part of the cache key: with a new version the job is computed again.
    #[arg(long, value_name = "TEXT")]
    code_version: Option<String>,
    /// The job's priority; jobs with a higher number are executed first.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    priority: Option<i32>,
    /// Do not start the job before this time, such as 2026-11-23T04:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = datetime::parse)]
    run_at: Option<Timestamp>,
    /// Do not start the job before this much time has passed, by this machine's clock.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "run_at")]
    delay: Option<Duration>,
    /// How many attempts may fail before the job fails.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    max_attempts: Option<u32>,
    /// The pause after the first failed attempt; it doubles with each further failed attempt.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    retry_backoff: Option<Duration>,
    /// Makes a submission with --fresh safe to repeat: submissions with the same key are the same job.
    #[arg(long, value_name = "TEXT")]
    pub(super) idempotency_key: Option<String>,
}

impl SubmitOptions {
    /// The options as sent to the service. `fresh` is set by the caller: it belongs to `submit` only.
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

/// Whether and how long to wait for the job's end.
#[derive(Debug, clap::Args)]
pub(super) struct WaitOptions {
    /// Wait for the job's end: print its console output to stderr as it grows, and its result to stdout. Ctrl-C ends
    /// the command, but not the job.
    #[arg(long)]
    pub(super) wait: bool,
    /// Wait this long at most.
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "wait")]
    pub(super) timeout: Option<Duration>,
    /// Ctrl-C cancels the job. If other callers wait for it, it continues for them.
    #[arg(long, requires = "wait")]
    cancel_on_interrupt: bool,
}

/// What happens to the job when a signal interrupts the command that waits for it.
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

/// The value parser of all options that are durations.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    config::parse_duration(text).ok_or_else(|| "expected a time such as 90s or 5m".to_owned())
}
