//! Exports spans to an OpenTelemetry collector by OTLP 1.x over HTTP, in the JSON encoding
//! (`docs/protocols/traces.md`). It opens connections to another server, so it is built only with the feature `otlp`.

mod collector;
mod export;
mod span;

pub use export::{Exporter, SpanSender, new};
