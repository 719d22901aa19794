//! The events of a history, as plain values that refer to jobs, runners and keys by number. A history is a list of
//! events, and any part of it is also a valid history: an event about a job that does not exist changes nothing.

use std::fmt;
use std::time::Duration;

use pilotlight_core::job::{CacheMode, CancelScope, JobPolicy, QueueLimits};

/// Settings of a whole history. Times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// A job whose runner is silent for this time is lost.
    pub heartbeat_timeout: u64,
    /// A dispatched job must be started within this time.
    pub start_timeout: u64,
    /// How many times a lost job is queued again.
    pub lost_retries: u32,
    /// How long a failure is cached.
    pub failed_ttl: u64,
    /// How long ended jobs are stored.
    pub keep_for: u64,
    /// Maximum size of the stored ended jobs in bytes; 0 means no limit.
    pub max_bytes: u64,
    /// Limits of the queue.
    pub queue_limits: QueueLimits,
    /// Maximum size of a job's stored console in bytes.
    pub console_bytes: usize,
}

impl Settings {
    /// The settings as the product's policy.
    #[must_use]
    pub const fn policy(&self) -> JobPolicy {
        JobPolicy {
            heartbeat_timeout: Duration::from_millis(self.heartbeat_timeout),
            start_timeout: Duration::from_millis(self.start_timeout),
            lost_retries: self.lost_retries,
            failed_ttl: Duration::from_millis(self.failed_ttl),
        }
    }
}

/// A submission of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submission {
    /// The number of the submission, and of the job that it may become; never used twice.
    pub number: u32,
    /// The cache key, which equal submissions have in common.
    pub key: u8,
    /// Whether an equal job may be reused.
    pub cache_mode: CacheMode,
    /// Jobs with a higher priority are executed first.
    pub priority: i32,
    /// The job is not executed until this many milliseconds from now.
    pub delay: u64,
    /// How long the result is valid.
    pub ttl: Option<u64>,
    /// Number of attempts until a failure is final.
    pub max_attempts: u32,
    /// The backoff after the first failed attempt.
    pub backoff: u64,
    /// The idempotency key, which makes it safe to repeat the submission.
    pub idempotency: Option<u8>,
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEvent {
    /// A caller submits a job.
    Submit(Submission),
    /// A runner that can execute these types takes the next job.
    Dispatch {
        /// The runner.
        runner: u8,
        /// The types, as one bit for each.
        types: u8,
    },
    /// A runner claims this job.
    Claim {
        /// The job.
        job: u32,
        /// The runner.
        runner: u8,
    },
    /// A runner reports about an execution.
    Report {
        /// The job.
        job: u32,
        /// The runner.
        runner: u8,
        /// The lease in the report.
        lease: Option<u64>,
        /// The kind of report.
        kind: ReportKind,
        /// The console output in the report.
        console: Option<ConsoleOutput>,
    },
    /// A dispatch did not reach its runner.
    DispatchFailed {
        /// The job.
        job: u32,
        /// The lease of the dispatch.
        lease: u64,
    },
    /// A caller cancels a job.
    Cancel {
        /// The job.
        job: u32,
        /// Whether it is cancelled for one caller or for all.
        scope: CancelScope,
    },
    /// A job's result was found to be invalid.
    ResultInvalid {
        /// The job.
        job: u32,
    },
    /// Due jobs are advanced to the current time.
    Sweep,
    /// Old jobs are deleted.
    Prune,
    /// An operator deletes two jobs.
    Delete {
        /// The first job.
        job: u32,
        /// The second job, which may be the same.
        other: u32,
    },
    /// The service stops and starts again.
    Restart,
}

/// The kind of a report about an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// The execution starts.
    Start,
    /// The execution continues; the value is the progress out of 100, if there is one.
    Heartbeat(Option<u8>),
    /// The execution has this result.
    Complete(u8),
    /// The execution failed with this report.
    Fail(u8),
}

/// Console output of a command, as a number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleOutput {
    /// The whole output.
    Replace(u8),
    /// The output since the last report.
    Append(u8),
}

/// An event and its time in milliseconds. Times never go back, because the store has one clock.
pub type TimedJobEvent = (u64, JobEvent);

/// A history, printed as a table for a test.
pub struct JobEventTable<'a>(pub &'a Settings, pub &'a [TimedJobEvent]);

/// Maximum number of printed events, the last ones of a history. The seed reproduces the others.
const MAX_PRINTED_EVENTS: usize = 60;

impl fmt::Display for JobEventTable<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(settings, events) = self;
        let first = events.len().saturating_sub(MAX_PRINTED_EVENTS);
        writeln!(out, "{settings:?}")?;
        if first > 0 {
            writeln!(out, "    // ... {first} more ...")?;
        }
        events[first..].iter().try_for_each(|(at, event)| writeln!(out, "    ({at}, {event:?}),"))
    }
}
