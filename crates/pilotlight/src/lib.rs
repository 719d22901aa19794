//! Acts: sockets, HTTP, time, signals. What it does is decided in `pilotlight-core`.
//!
//! In reading order:

pub mod cli;

pub mod app;
pub mod config;
pub mod shutdown;

pub mod http;

pub mod dispatch;
pub mod jobs;

pub mod net;

pub mod clock;
pub mod memory;
pub mod telemetry;

pub mod client;

pub mod demo;
