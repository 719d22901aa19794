//! Spans for a collector, by OTLP over HTTP in its JSON encoding (OTLP 1.x). The one part of the service that opens a
//! connection by itself, so it is built only where it is asked for.

mod collector;
mod export;
mod span;

pub use export::{Exporter, SpanSender, new};
