//! What can happen, as plain values that name everybody by number, so that a history is a table and any part of it is a
//! history again: an event about a job that is not there changes nothing.

use std::fmt;
use std::time::Duration;

use pilotlight_core::job::{CacheMode, CancelScope, JobPolicy, QueueLimits};

/// What holds for a whole history, in milliseconds where it is a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// A job whose runner is silent for so long is lost.
    pub heartbeat_timeout: u64,
    /// A dispatched job must be started within this.
    pub start_timeout: u64,
    /// How often a lost job is queued again.
    pub lost_retries: u32,
    /// How long a failure is told.
    pub failed_ttl: u64,
    /// How long ended jobs are kept.
    pub keep_for: u64,
    /// Bytes of ended jobs that are kept; 0 is without bound.
    pub max_bytes: u64,
    /// How much may wait.
    pub queue_limits: QueueLimits,
    /// Bytes of console that are kept of a job.
    pub console_bytes: usize,
}

impl Settings {
    /// As the product takes them.
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

/// A submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submission {
    /// Names it, and the job that it may become; never used twice.
    pub number: u32,
    /// What equal submissions have in common.
    pub key: u8,
    /// Whether a known result will do.
    pub cache_mode: CacheMode,
    /// Higher ones go first.
    pub priority: i32,
    /// Not before so many milliseconds from now.
    pub delay: u64,
    /// How long its result is valid.
    pub ttl: Option<u64>,
    /// Tries before a failure is final.
    pub max_attempts: u32,
    /// The pause after the first failed try.
    pub backoff: u64,
    /// What makes it safe to submit twice.
    pub idempotency: Option<u8>,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A caller submits.
    Submit(Submission),
    /// A runner that can do these types takes the next job.
    Dispatch {
        /// Who.
        runner: u8,
        /// Which types: a bit for each.
        types: u8,
    },
    /// A runner takes this job.
    Claim {
        /// Which.
        job: u32,
        /// Who.
        runner: u8,
    },
    /// Somebody says something about an execution.
    Report {
        /// Of which job.
        job: u32,
        /// Who says so.
        runner: u8,
        /// By which lease.
        lease: Option<u64>,
        /// What.
        kind: ReportKind,
        /// What the command wrote.
        console: Option<ConsoleOutput>,
    },
    /// A dispatch did not arrive.
    DispatchFailed {
        /// Of which job.
        job: u32,
        /// Its lease.
        lease: u64,
    },
    /// A caller does not want it any more.
    Cancel {
        /// Which.
        job: u32,
        /// For whom.
        scope: CancelScope,
    },
    /// A job's result was found to be invalid.
    ResultInvalid {
        /// Which.
        job: u32,
    },
    /// Time is told to jobs that are due.
    Sweep,
    /// Old jobs are forgotten.
    Prune,
    /// Somebody deletes jobs: this one, and this one.
    Delete {
        /// One.
        job: u32,
        /// Another, or the same.
        other: u32,
    },
    /// The service ends and starts again.
    Restart,
}

/// What is said about an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// It begins.
    Start,
    /// It goes on; so far of a hundred, if said.
    Heartbeat(Option<u8>),
    /// It has this result.
    Complete(u8),
    /// It failed with this report.
    Fail(u8),
}

/// What a command wrote: so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleOutput {
    /// All of it.
    Replace(u8),
    /// What came since.
    Append(u8),
}

/// An event and its moment in milliseconds. Moments never step back: the store has one clock.
pub type TimedEvent = (u64, Event);

/// A history, printed as it would stand in a table test.
pub struct EventTable<'a>(pub &'a Settings, pub &'a [TimedEvent]);

/// Of a longer history only so many last events are printed; the seed has the others.
const MAX_PRINTED_EVENTS: usize = 60;

impl fmt::Display for EventTable<'_> {
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
