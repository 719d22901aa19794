//! Warm starts: matches idle runners of Trigger.dev with runs, and proves that the runner got the run. It owns the
//! parked polls, lets `core::matching` select one, sends the run on that poll's connection and reports the delivery. It
//! decides nothing itself.
//!
//! In reading order:

mod capability;
pub(crate) use capability::BUILDER;

pub(crate) mod http;

pub(crate) mod dispatcher;
pub(crate) mod park;
pub(crate) mod poll_handle;

mod offer;
mod offer_trace;
pub(crate) mod run;

mod background;
mod metrics;

mod panel;
mod sample;
mod status;
