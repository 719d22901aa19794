//! Simulation of jobs: random callers, runners, clocks and restarts are applied to a real store and to a reference
//! model in parallel. After every event both must agree, and no invariant may be violated.
//!
//! In reading order:

pub mod event;
pub mod fixtures;

pub mod model;

pub mod violation;

pub mod invariants;

pub mod world;

pub mod generator;

pub mod simulation;
