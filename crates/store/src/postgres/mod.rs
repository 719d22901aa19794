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

mod failure;
mod link;
mod statements;
mod tx;
mod verb;

mod migrate;

mod line;
mod tidings;

mod jobs;
mod payloads;
mod tally;

mod look;
mod ready;
mod room;
mod say;
mod submit;
mod sweep;

mod lists;
mod prune;
mod unchecked;

mod hooks;
mod runners;

mod check;

#[cfg(test)]
mod tests;
