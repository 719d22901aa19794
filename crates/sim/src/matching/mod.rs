//! The attack on matching and delivery: random histories are played to `core` and to a reference model at once,
//! and after every step both must say the same. It reads no clock and opens no socket: a seed is a history.
//!
//! In reading order:

pub mod event;
pub mod fixtures;

pub mod model;
pub mod offer_model;

pub mod checked_offer;
pub mod invariants;
pub mod world;

pub mod generator;

pub mod simulation;
