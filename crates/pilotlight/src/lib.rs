//! The acting part of Pilotlight: sockets, HTTP, time, signals and processes. The decisions are in `pilotlight-core`.
//!
//! The modules in reading order:

pub mod cli;

pub mod app;
pub mod config;
pub mod shutdown;

pub mod http;

pub mod dispatch;
pub mod jobs;

pub mod net;

pub mod clock;
mod json;
pub mod memory;
pub mod telemetry;

pub mod client;
pub mod runner;

pub mod demo;
