//! The HTTP side of warm starts: the protocol of Trigger.dev's runners and supervisors
//! (`docs/protocols/warm-start.md`), and what operators see and do (`docs/protocols/operators.md`).
//!
//! The routes, and then their handlers in reading order:

mod routes;
pub(crate) use routes::{ConnectTimeouts, WarmStartState, closing_routes, routes};

pub(crate) mod fast_path;
mod protocol;

pub(crate) mod overview;
mod retire;

pub(crate) mod convert;
pub(crate) mod token;
