//! Tests of the SQLite store alone: full and read-only disks, a killed process, a second process, the schema of a newer
//! version. The tests with small disks (some MiB) need root; without it they are skipped.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: a skipped test prints the reason, and a violated assumption fails the test"
)]

mod support;

mod backup;
mod disk;
mod kill;
mod process;
