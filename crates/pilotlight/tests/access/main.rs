//! Access to the service: permissions, tokens, TLS, and requests that nobody should send. They are refused with a helpful
//! text, or closed where the protocol says so; never a 5xx, never a hang.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print what they measure, and panic where they fail"
)]

mod permissions;
mod tls;
mod tokens;

mod paths;
mod request_heads;
