//! Simulation of matching and delivery: random histories are applied to `core` and to a reference model in parallel,
//! and compared after every step. It reads no clock and opens no socket, so a seed determines the history.
//!
//! In reading order:

pub mod event;
pub mod fixtures;

pub mod model;
pub mod offer_model;

pub mod violation;

pub mod checked_offer;
pub mod invariants;
pub mod world;

pub mod generator;

pub mod simulation;
