//! Attacks jobs: random callers, runners, clocks and restarts, played to a real store and to a reference model at once.
//! After every event both must say the same, and the ledger must have nothing against it.
//!
//! In reading order:

pub mod event;
pub mod fixtures;

pub mod model;

pub mod invariants;

pub mod world;

pub mod generator;

pub mod simulation;
