//! Composes the service from the configuration: builds the capabilities, opens the listeners, starts all tasks and
//! stops them. It is the only place that spawns long-lived tasks, and it holds no rule of a capability.
//!
//! In reading order:

mod capabilities;
pub use capabilities::CAPABILITIES;

mod app;
pub use app::App;

mod context;
pub(crate) use context::Context;

mod listeners;
mod service;
mod telemetry;

#[cfg(test)]
mod tests;
