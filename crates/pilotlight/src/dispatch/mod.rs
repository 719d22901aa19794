//! The driver around `core`'s pools and delivery: it holds the parked polls, asks `core` who is next, moves the
//! run to that poll's connection and reports what became of it. It decides nothing itself, and knows no HTTP.

pub mod dispatcher;

pub(crate) mod handoff;
pub(crate) mod in_flight;
pub mod park;

pub mod offer;
mod offer_trace;

pub mod expiry;
