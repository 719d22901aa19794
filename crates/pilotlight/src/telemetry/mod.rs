//! What operators see: metrics and logs. It watches, it never decides.

pub mod logs;

pub mod metrics;
