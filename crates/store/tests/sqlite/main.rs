//! Tests that only the embedded store needs: full and read-only disks, a killed process, a second process, a newer
//! program. The tests with small disks (a few hundred KiB) need root; elsewhere they print that they were skipped.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: a skipped test prints why, and a violated assumption fails the test"
)]

mod support;

mod backup;
mod disk;
mod kill;
mod process;
