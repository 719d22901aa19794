//! Warm starts with the real binary, real sockets, and the real clients of the protocol.
//!
//! Tests in modules named `alone`, and tests whose names begin with `alone`, run without other tests. Tests with
//! `netns` in their name create network namespaces.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print measurements, and panic when they fail"
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
