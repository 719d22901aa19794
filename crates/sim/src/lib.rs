//! Simulations, reference models and fuzz targets. They test Pilotlight ("the product") with unexpected events and
//! bytes, and are never shipped.
//!
//! Everything is generated from a seed, so that a failure can be reproduced, and a failing case is shrunk before it is
//! printed. The expected behaviour is implemented here a second time, independently and simply, and compared with the
//! product. It must not use the product's code to compute an expected result.
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
