//! Speaks to a service over HTTP as callers, operators and runners of jobs do. It knows the calls, which of them may be
//! repeated, and how much of an answer is read; it never decides what to do with an answer, and never shows a key.
//!
//! In reading order:

mod http_client;
pub use http_client::{ApiKey, Client};

mod error;
pub use error::{ClientError, Reason};

mod admin_api;
mod jobs_api;
mod runner_api;
pub use jobs_api::{SubmitParams, idempotency_key};
pub use runner_api::{JobRef, ReportResponse};

mod events;
pub use events::{EventStream, JobEvent};
