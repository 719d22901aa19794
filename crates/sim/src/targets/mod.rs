//! The attack on the edge: bytes that nobody should send. Each target takes any bytes, and panics when something does
//! not hold that must hold for all bytes; so it serves the tests, and a fuzzer, alike.
//!
//! In reading order:

pub mod refusal;

pub mod json;
pub mod message;

pub mod cache_key;
pub mod meaning;

pub mod headers;

pub mod edge;
pub mod witness;

pub mod answers;
pub mod server;
pub mod visit;

pub use cache_key::cache_key;
pub use edge::edge;
pub use headers::headers;
pub use message::message;
