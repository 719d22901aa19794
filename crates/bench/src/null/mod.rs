//! The floor of HTTP: a server that reads complete requests of the job API and immediately sends a prepared response of
//! the size of the product's response.
//!
//! It uses hyper, as the product does, so that the ratio shows only what the product does behind HTTP. It stores
//! nothing, checks nothing and has no timeouts. `next` always returns a job.

mod answers;
mod server;

pub(crate) use server::serve;
