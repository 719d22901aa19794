//! The dashboard: its data, its live events, and its page in a real browser.
//!
//! Modules named `alone` need the machine for themselves.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print what they measure, and panic where they fail"
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
