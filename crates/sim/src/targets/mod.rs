//! Fuzz targets of the HTTP edge. Each target takes any bytes and checks rules that must hold for all bytes; it panics
//! when a rule does not hold. Tests and the fuzzer use the same targets.
//!
//! In reading order:

pub mod error_text;

pub mod json;
pub mod message;

pub mod cache_key;
pub mod exact_value;

pub mod headers;

pub mod edge;
pub mod waiting_runner;

pub mod answers;
pub mod client;
pub mod server;

pub use cache_key::cache_key;
pub use edge::edge;
pub use headers::headers;
pub use message::message;
