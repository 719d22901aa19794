//! Remembers. Jobs, their parameters and results, runners, and what others are still to be told live here, and
//! nowhere else: whatever is in memory elsewhere is rebuilt from it.
//!
//! It decides nothing about a job: within one transaction it reads the job, lets `pilotlight_core::job` decide, and
//! writes what follows. When a verb returns, its change is on disk.
//!
//! In reading order:

mod error;
pub use error::Error;

mod records;
pub use records::{
    AppliedEvent, Backlog, ConsoleUpdate, Counts, EventOutcome, IdempotencyKey, JobFilter, JobOutput,
    JobRecord, LeasedJob, Limits, NewJob, PruneStats, Retention, Runner, RunnerOutput, Settings,
    StoreNotification, SubmitOutcome, WebhookCall, WebhookCallId, WebhookTrigger,
};

mod store;
pub use store::Store;

mod columns;
mod job_row;
mod migrations;

pub mod postgres;
pub mod sqlite;
