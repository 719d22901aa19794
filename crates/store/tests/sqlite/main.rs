//! What only the embedded store has to withstand: a full disk, a read-only one, a killed process, a second process,
//! a newer program. Disks of a few hundred KiB are made where this runs as root; elsewhere those tests say that they
//! did not run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests: what a machine cannot run is said, and what cannot be ends them"
)]

mod support;

mod backup;
mod disk;
mod kill;
mod process;
