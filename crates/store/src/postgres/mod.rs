//! The store in PostgreSQL: several instances of the program work on one database at the same time.
//!
//! An operation that changes a job locks the row when it reads it, so that `core::job` decides on the latest state. A
//! connection on which an operation failed is closed and never reused; the server rolls back its transaction.
//! Notifications are never sent within an operation's transaction: PostgreSQL would serialize all such commits behind
//! one lock.
//!
//! In reading order:

mod store;
pub use store::Postgres;

mod address;
mod tls;

mod connection;
mod failure;
mod operation;
mod statements;
mod tx;
mod write_statement;

mod migrate;

mod listener;
mod notifications;

mod column_values;
mod counters;
mod jobs;
mod payloads;

mod apply;
mod queue;
mod reads;
mod submit;
mod sweep;
mod usage_cache;

mod prune;
mod queries;
mod validation;

mod runners;
mod webhooks;

mod integrity;

#[cfg(test)]
mod tests;
