//! Decides the life of a job: whether a submission is new, known or joins a twin; who holds it; what a late or
//! repeated word of a runner is worth; what follows from a failure, a loss, a cancellation. It never sees parameters
//! or results, only their fingerprints, and never the store: a [`Job`] is read, told one thing, and written back, in
//! one transaction.
//!
//! In reading order:

mod id;
pub use id::{BadJobId, JobId, Lease};

mod fingerprint;
pub use fingerprint::Fingerprint;

mod rules;
pub use rules::{Options, Rules};

mod state;
pub use state::{Executing, Failure, Hold, Job, Progress, State, Status, Submission};

mod admit;
pub use admit::{Admitted, Came, Freshness, admit};

mod room;
pub use room::{Full, Room, Waiting};

mod life;
pub use life::{Cancel, Change, Event, Refused, Word};

#[cfg(test)]
mod tests;
