//! Access to the service: permissions, tokens, TLS, and invalid requests. An invalid request gets a 4xx with an error
//! text, or its connection is closed where the protocol requires that. It never gets a 5xx, and never hangs.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests print measurements, and panic when they fail"
)]

mod permissions;
mod tls;
mod tokens;

mod paths;
mod request_heads;
