//! The HTTP API of jobs: `/api/jobs` for callers, `/api/runner` for runners, `/api/admin` for operators
//! (`docs/protocols/jobs.md`). It validates each request once and must not decide anything about jobs.
//!
//! The routes, and then their handlers in reading order:

mod routes;
pub(crate) use routes::{JobsState, routes};

mod callers;
mod events;

mod long_poll;
mod runners;

pub(crate) mod admin;

mod content_limits;
mod extract;
mod request;
mod response;
mod runner_event;
