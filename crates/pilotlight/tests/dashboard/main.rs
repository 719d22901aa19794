//! The dashboard: its data, its live events, and its page in a real browser.
//!
//! The tests in modules named `alone` run one at a time, without other tests.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print measurements, and panic when they fail"
)]

mod assets;
mod data;
mod events;

mod accessibility;
mod actions;
mod alone;
mod jobs;
mod jobs_with_keys;
mod page;
