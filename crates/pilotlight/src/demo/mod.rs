//! Scenes for people to try: the real service on a free port, real sockets, simulated runners and supervisors.
//! Nothing here is used by the service.

pub mod scene;

mod client;
mod runner;
mod supervisor;

pub mod report;
