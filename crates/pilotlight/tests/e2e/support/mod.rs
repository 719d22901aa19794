//! What the tests share: the service as a process, the two parties that speak with it, and the machine around them.
//!
//! In reading order:

pub(crate) mod place;
pub(crate) mod server;

pub(crate) mod commands;
pub(crate) mod events;
pub(crate) mod hearer;
pub(crate) mod http;
pub(crate) mod jobs;
pub(crate) mod lossy;
pub(crate) mod message;
pub(crate) mod parties;

pub(crate) mod browser;
pub(crate) mod engine;
pub(crate) mod netns;
pub(crate) mod node;
pub(crate) mod python;
pub(crate) mod terminal;

#[allow(dead_code, clippy::disallowed_methods, reason = "the store's tests use what these do not")]
#[path = "../../../../store/tests/support/postgres.rs"]
pub(crate) mod postgres;

pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod runner;
pub(crate) mod settings;
pub(crate) mod skip;
pub(crate) mod wait;
