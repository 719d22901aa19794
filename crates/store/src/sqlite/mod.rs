//! The embedded store: one SQLite file. One thread writes, and commits all waiting operations in one transaction
//! (`writer`); reads use connections of their own (`readers`). Each other file implements some operations of the store.
//!
//! In reading order:

mod error;
mod open;
pub use open::file_in;

mod checkpoint;
mod readers;
mod tx;
mod writer;

mod store;
pub use store::Sqlite;

mod counters;
mod jobs;
mod payloads;

mod apply;
mod queue;
mod submit;
mod sweep;

mod prune;
mod queries;
mod validation;

mod runners;
mod webhooks;

mod integrity;

mod backup;
pub use backup::{RestoreMode, backup, restore};
