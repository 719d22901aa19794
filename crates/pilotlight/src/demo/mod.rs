//! The scenes of `pilotlight demo`: they use the real service on a free port and real sockets. The service itself never
//! uses this module.
//!
//! In reading order:

pub(crate) mod jobs;
pub(crate) mod warm_start;

mod times;
