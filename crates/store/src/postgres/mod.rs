//! The store in PostgreSQL: several instances of the program work on one database at the same time.
//!
//! Whoever changes a job holds its row's lock from the reading on, so `core::job` decides on what is true; a
//! connection on which something went wrong is closed, never lent again, and the server undoes what it had begun. It
//! never notifies within a verb: that would line up all commits behind one lock.
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

mod migrate;

mod listener;
mod notifications;

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
