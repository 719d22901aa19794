//! The floor: the least a matchmaker of this protocol can do, so that ours is measured as a ratio and not
//! as a number that belongs to one machine.
//!
//! Raw sockets, one mutex, substring searches instead of parsing. It must never gain a check, a time-out, a
//! limit or an acknowledgement: whatever it does not do is what the ratio shows. It believes every request
//! to be well-formed and is not for use.

mod connection;
mod match_maker;
mod request;
mod server;

pub(crate) use server::serve;
