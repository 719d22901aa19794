//! The `match` bench: compares the matchmaker with the floor, in one execution on one machine.
//!
//! `bench` has the state that all measurements share, `contender` the measured servers. `throughput`, `one_at_a_time`
//! and `memory` each measure one thing and return series of samples; `goals` compares them with the goals; `command`
//! combines them.

mod bench;
mod command;
mod contender;
mod goals;
mod memory;
mod one_at_a_time;
mod throughput;

pub(crate) use command::{MatchArgs, run};
