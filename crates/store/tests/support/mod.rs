//! What the tests share: a real PostgreSQL, and a note of what a machine cannot run.
#![allow(dead_code, unused_macros, unused_imports, reason = "not every includer needs all of it")]
#![allow(clippy::disallowed_methods, reason = "what a machine has is said by the environment")]

pub(crate) mod postgres;

#[path = "../../../pilotlight/tests/e2e/support/skip.rs"]
pub(crate) mod skip;
