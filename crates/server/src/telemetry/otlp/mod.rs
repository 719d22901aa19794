//! Exports spans to a collector with the exporter of the OpenTelemetry crates: OTLP over HTTP, in its JSON encoding.
//! The spans are built after the fact, and exported by a task of ours: the SDK's own batch processor runs on a thread
//! without a runtime, where our HTTP client cannot work.

mod collector;
mod export;
mod span;

pub(crate) use export::{SpanSender, new};
