//! What operators see: metrics, logs, a line and a span for each offer. It watches, it never decides.

pub mod log_throttle;
pub mod logs;

mod histogram;
pub mod jobs;
pub mod metrics;

pub mod event_queue;
pub mod offer_event;

mod json_line;
pub mod offer_log;

#[cfg(feature = "otlp")]
pub mod otlp;
