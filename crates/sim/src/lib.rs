//! Attacks: histories that nobody would think of, and bytes that nobody should send. Never shipped.
//!
//! Everything is drawn from a seed, so that what fails once fails again, and what fails is shrunk before it is shown. It
//! never takes what the product does for right: what must hold is written down here again, naively, and held against it.
//!
//! In reading order:

pub mod matching;

pub mod jobs;

pub mod targets;

pub mod corpus;
pub mod mutate;

pub mod panics;
pub mod shrink;
pub mod soak;
