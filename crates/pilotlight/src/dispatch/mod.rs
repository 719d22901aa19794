//! The driver of `core::matching` and `core::delivery`. It owns the parked polls, lets `core` select the next one,
//! sends the run on that poll's connection and reports the delivery. It decides nothing itself, and must not know
//! HTTP.

pub mod dispatcher;

pub(crate) mod handoff;
pub(crate) mod in_flight;
pub mod park;

pub mod offer;
mod offer_trace;

pub mod expiry;
