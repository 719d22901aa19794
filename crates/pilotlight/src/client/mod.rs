//! Speaks to a service over HTTP as callers, operators and runners of jobs do. It knows the calls, which of them may be
//! repeated, and how much of an answer is read; it never decides what to do with an answer, and never shows a key.
//!
//! In reading order:

mod link;
pub use link::{Client, Key};

mod failure;
pub use failure::{Failure, Reason};

mod callers;
mod operators;
mod runners;
pub use callers::{Submit, idempotency_key};
pub use runners::{Job, Verdict};

mod events;
pub use events::{Events, News};
