//! The `jobs` bench: compares durable jobs with the minimal work that they need, in one execution on one machine.
//!
//! There are two floors: a null HTTP server answers the same calls immediately with responses of the same size, and a
//! bare group-commit loop has the same durability. The product is measured twice: with a store that was empty at its
//! start, and with a store that has many jobs. `calls` and `caller` implement the protocol; `throughput` and
//! `one_at_a_time` measure; `stored` fills a store beforehand; `goals` compares the results with the goals; `command`
//! combines them.

pub(crate) mod caller;
pub(crate) mod calls;
mod command;
mod contender;
mod goals;
mod one_at_a_time;
mod setup;
mod stored;
mod throughput;

pub(crate) use command::{JobsArgs, run};
