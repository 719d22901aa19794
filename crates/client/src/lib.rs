//! HTTP client of the Pilotlight API, for callers, operators and job runners.
//!
//! It knows the endpoints, which calls may safely be repeated, and how much of a response is read. It must not decide
//! what to do with a response, and must never print a key.
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
