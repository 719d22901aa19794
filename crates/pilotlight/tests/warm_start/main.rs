//! Warm starts from outside: the real binary, real sockets, and the real clients of the protocol.
//!
//! Modules named `alone` need the machine for themselves; tests with `netns` in their name create network namespaces.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print what they measure, and panic where they fail"
)]

mod matching;
mod offers;
mod polls;

mod fast_path;
mod real_client;

mod dark_links;
mod reported_warm;
mod unread;

mod hostile_connections;
mod mixed_load;
