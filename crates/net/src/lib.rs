//! Sockets: accepts connections, moves bytes, and delivers a response to a parked poll, asking the kernel which bytes
//! the peer acknowledged. Must not know runs, jobs or routes.

pub mod listener;
pub mod sockets;
pub mod tls;

pub mod conn;

pub mod parked_poll;

pub mod delivery;
pub mod in_flight;

pub mod direct_response;
pub mod io;

pub mod ack;
pub mod clock;
pub mod deadlines;
pub mod handoff;
pub mod reset_watch;
mod response_guard;
mod ticks;

#[cfg_attr(not(target_os = "linux"), path = "sys_fallback.rs")]
pub mod sys;
