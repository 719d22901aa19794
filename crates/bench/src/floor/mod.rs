//! The floor of the `match` bench: the smallest possible server of the warm-start protocol
//! (`docs/protocols/warm-start.md`). The bench measures Pilotlight and the floor on the same machine and prints the
//! ratio, because a time or a rate alone depends on the machine.
//!
//! It uses raw sockets, one mutex, and substring searches instead of parsing. It must never gain a check, a timeout, a
//! limit or an acknowledgement: the ratio shows the cost of exactly these. It assumes that every request is well-formed
//! and is not for production.

mod connection;
mod match_maker;
mod request;
mod server;

pub(crate) use server::serve;
