//! The floor of matches: the minimal matchmaker of this protocol, so that the product is measured as a ratio to it and
//! not as a number of one machine.
//!
//! It uses raw sockets, one mutex, and substring searches instead of parsing. It must never gain a check, a timeout, a
//! limit or an acknowledgement: the ratio shows the cost of exactly these. It assumes that every request is well-formed
//! and is not for production.

mod connection;
mod match_maker;
mod request;
mod server;

pub(crate) use server::serve;
