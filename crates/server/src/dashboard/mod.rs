//! The dashboard: the page for operators, its sign-in, its live event stream, and the metrics. What the stream contains
//! comes from the panels of the other capabilities.
//!
//! In reading order:

mod capability;
pub(crate) use capability::BUILDER;

mod broadcaster;
mod events;

mod assets;
mod metrics;
