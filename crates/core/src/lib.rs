//! The decisions of the product, as pure functions and state machines. Nothing in this crate does I/O, reads a clock,
//! takes a lock or spawns a task or thread: the caller passes in `now`, and the crate returns what to do as a value.
//! The other crates carry it out and report the outcome as the next event.
//!
//! In reading order:

pub mod clock_offset;
pub mod limits;
pub mod time;

pub mod ids;
pub mod trace_context;

pub mod delivery;
pub mod pool;

pub mod active_runs;
pub mod history;
pub mod offer_stats;
pub mod retire;
pub mod rolling_window;

pub mod matching;

pub mod canonical;

pub mod cache_key;
pub mod heartbeat_window;
pub mod job;
pub mod job_matcher;
pub mod job_stats;
pub mod rate_limit;
pub mod result_validity;
pub mod retry;

pub mod command;

pub mod access;
