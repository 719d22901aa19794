//! Tests of the PostgreSQL store alone: several instances on one database, broken connections, a restarted server, TLS.
//! The tests of both stores are in `tests/conformance`.

#![allow(clippy::unwrap_used, reason = "tests: a violated assumption fails the test")]

mod fixture;

mod faults;
mod instances;
mod opening;
mod tls;
