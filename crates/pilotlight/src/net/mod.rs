//! Sockets: accepting them, moving bytes, and asking the kernel what became of the bytes. Knows nothing of runs,
//! runners or routes.

pub mod listener;

pub mod conn;

pub mod ack;
pub mod linger;

#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
pub mod sys;
