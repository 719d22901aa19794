//! What the tests share: a real PostgreSQL, and a note of what a machine cannot run.
#![allow(dead_code, unused_macros, unused_imports, reason = "not every includer needs all of it")]
#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "what a machine lacks is asked and said")]

pub(crate) mod postgres;

#[path = "../../../pilotlight/tests/e2e/support/skip.rs"]
pub(crate) mod skip;
