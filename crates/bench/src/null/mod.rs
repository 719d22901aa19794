//! The floor under everything that is HTTP: a server that reads whole requests of the jobs' calls and answers each at
//! once with words that were written before, of the size that the product's answers have.
//!
//! HTTP is hyper's here as it is in the product: what is measured is what the product does behind it. It keeps
//! nothing, checks nothing and times nothing out. `next` is always answered with a job.

mod answers;
mod server;

pub(crate) use server::serve;
