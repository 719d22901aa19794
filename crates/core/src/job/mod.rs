//! The job state machine: whether a submission becomes a new job, joins an equal job or is answered from the cache;
//! which runner has the lease; whether a late or repeated report of a runner counts; what a failure, a lost runner and
//! a cancellation lead to. It sees no parameters and results, only their fingerprints, and no store: the caller reads a
//! [`Job`], applies one event and writes it back in one transaction.
//!
//! In reading order:

mod id;
pub use id::{InvalidJobId, JobId, LeaseId};

mod fingerprint;
pub use fingerprint::Fingerprint;

mod policy;
pub use policy::{JobOptions, JobPolicy};

mod state;
pub use state::{Assignment, Failure, Job, Progress, Running, State, Status, Submission};

mod admit;
pub use admit::{Admission, CacheMode, SubmissionOrder, admit};

mod queue_limits;
pub use queue_limits::{QueueFull, QueueLimits, QueueUsage};

mod transitions;
pub use transitions::{CancelScope, Event, LeaseClaim, Rejected, Transition};

mod attempt;
pub use attempt::{AttemptOutcome, EndedAttempt};

mod trace;

#[cfg(test)]
mod tests;
