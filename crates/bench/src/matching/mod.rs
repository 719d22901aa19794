//! The `match` bench: the matchmaker beside the floor, in one execution on one machine.
//!
//! `bench` holds what all measurements share, `contender` who takes part; `throughput`, `one_at_a_time` and
//! `memory` each measure one thing and return series of samples; `goals` judges them; `command` puts it together.

mod bench;
mod command;
mod contender;
mod goals;
mod memory;
mod one_at_a_time;
mod throughput;

pub(crate) use command::{MatchArgs, run};
