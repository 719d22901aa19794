//! Decides. Nothing here does I/O, reads a clock, takes a lock or spawns: `now` comes in as an argument and
//! what shall be done goes out as a value. The acting crates ask, do as told, and report back.
//!
//! In reading order:

pub mod limits;
pub mod skew;
pub mod time;

pub mod ids;
pub mod trace;

pub mod delivery;
pub mod pool;

pub mod executing;
pub mod history;
pub mod retire;
pub mod ring;
pub mod series;

pub mod matching;

pub mod canonical;

pub mod cache_key;
pub mod check;
pub mod job;
pub mod job_series;
pub mod line;
pub mod rate;
pub mod retry;

pub mod command;

pub mod access;
