//! Sockets: accepting them, moving bytes, and asking the kernel what became of the bytes. Knows nothing of runs,
//! runners or routes.

pub mod listener;
pub mod sockets;
pub mod tls;
pub mod unverified;

pub mod conn;

pub mod direct;
pub mod io;

pub mod ack;
mod answers;
pub mod deadlines;
pub mod linger;

#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
pub mod sys;
