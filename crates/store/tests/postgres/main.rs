//! What only the store in PostgreSQL must withstand: other instances on the same database, connections that break, a
//! server that goes and comes. What both stores must do is in the suite beside this one.

#![allow(clippy::unwrap_used, reason = "tests: what cannot be ends them")]

mod fixture;

mod faults;
mod instances;
mod opening;
mod tls;
