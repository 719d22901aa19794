//! The `jobs` bench: durable jobs beside what nobody can do without, in one execution on one machine.
//!
//! There are two floors. A null HTTP server answers the same calls at once, with words of the same size; a bare
//! group-commit loop keeps the same promise to the disk. The product is measured twice: with a store that was empty,
//! and with one that holds many jobs. `calls` and `caller` speak the protocol; `throughput` and `one_at_a_time`
//! measure; `stored` fills a store beforehand; `goals` judges; `command` puts it together.

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
