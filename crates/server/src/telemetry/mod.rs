//! Telemetry for operators: metrics, logs, and for each offer a log line and a trace span. It only records and must not
//! decide anything. `docs/observability.md` describes what operators get.

pub(crate) mod log_throttle;
pub mod logs;

pub(crate) mod histogram;
pub(crate) mod metrics;

pub(crate) mod event_queue;
pub(crate) mod offer_event;

pub(crate) mod job_span;
mod json_line;
pub(crate) mod offer_log;

pub(crate) mod otlp;
