//! The scenes of `pilotlight demo`: they use the real service on a free port and real sockets. The service itself never
//! uses this module.
//!
//! In reading order:

pub mod jobs;
pub mod warm_start;

mod times;
