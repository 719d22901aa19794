//! Simulations, reference models and fuzz targets that test the product with unexpected events and bytes. Never
//! shipped.
//!
//! Everything is generated from a seed, so that a failure can be reproduced, and a failing case is shrunk before it is
//! printed. The expected behaviour is written down here a second time, independently and naively, and compared with the
//! product; the product's own code is never trusted.
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
