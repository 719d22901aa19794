//! What operators see: metrics, logs, a line and a span for each offer. It watches, it never decides.

pub mod logs;
pub mod seldom;

mod histogram;
pub mod jobs;
pub mod metrics;

pub mod seen;
pub mod watch;

mod line;
pub mod offer_log;

#[cfg(feature = "otlp")]
pub mod otlp;
