//! The attack on matching and delivery: random histories are played to `core` and to a reference model at once,
//! and after every step both must say the same. It reads no clock and opens no socket: a seed is a history.
//!
//! In reading order:

pub mod cast;
pub mod event;

pub mod model;
pub mod offer;

pub mod course;
pub mod ledger;
pub mod world;

pub mod driver;

pub mod attack;
