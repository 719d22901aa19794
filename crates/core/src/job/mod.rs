//! Decides the life of a job: whether a submission is new, known or joins a twin; who holds it; what a late or
//! repeated word of a runner is worth; what follows from a failure, a loss, a cancellation. It never sees parameters
//! or results, only their fingerprints, and never the store: a [`Job`] is read, told one thing, and written back, in
//! one transaction.
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

#[cfg(test)]
mod tests;
