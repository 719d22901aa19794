//! The HTTP layer that all capabilities share: routes as values, access, limits, errors, and how requests are read. It
//! knows no capability. The protocols are described in `docs/protocols/`.
//!
//! In reading order:

pub(crate) mod route;
pub(crate) mod router;

pub(crate) mod access;
pub(crate) mod auth;
pub(crate) mod cors;
pub(crate) mod edge;
mod key_hash;
pub(crate) mod rate_limit;
pub(crate) mod session;
mod session_store;

pub(crate) mod body;
pub(crate) mod body_budget;
pub(crate) mod fields;
pub(crate) mod headers;
pub(crate) mod json_body;

pub(crate) mod close;
pub(crate) mod date;
pub(crate) mod error;
pub(crate) mod event_stream;

pub(crate) mod background;
pub(crate) mod health;
pub(crate) mod openapi;
