//! Telemetry for operators: metrics, logs, and for each offer a log line and a trace span. It only records and must not
//! decide anything. `docs/observability.md` describes what operators get.

pub mod log_throttle;
pub mod logs;

mod histogram;
pub mod jobs;
pub mod metrics;

pub mod event_queue;
pub mod offer_event;

pub mod job_span;
mod json_line;
pub mod offer_log;

pub mod otlp;
