//! The embedded store: one SQLite file. One thread writes, and makes one transaction of whatever waits
//! (`writer`); reading goes past it (`readers`). Each other file holds some verbs.
//!
//! In reading order:

mod error;
mod open;
pub use open::file_in;

mod log;
mod readers;
mod tx;
mod writer;

mod store;
pub use store::Sqlite;

mod jobs;
mod payloads;
mod tally;

mod ready;
mod say;
mod submit;
mod sweep;

mod lists;
mod prune;
mod unchecked;

mod hooks;
mod runners;

mod check;

mod backup;
pub use backup::{RestoreMode, backup, restore};
