//! Persistence: jobs, their parameters and results, registered runners, and pending webhook calls. This is the only
//! place where they are stored; everything that other crates have in memory is rebuilt from here.
//!
//! The store makes no decisions about a job: within one transaction it reads the job, lets `pilotlight_core::job`
//! decide, and writes what `write_plan` computes from that for both databases. When an operation returns, its change is
//! on disk.
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
pub use store::{JobStore, ReadStore, RunnerStore, Store, WebhookStore};

mod columns;
mod job_row;
mod migrations;
mod write_plan;

pub mod postgres;
pub mod sqlite;
