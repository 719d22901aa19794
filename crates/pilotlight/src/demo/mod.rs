//! Scenes for people to try: the real service on a free port, real sockets. Nothing here is used by the service.
//!
//! In reading order:

pub mod jobs;
pub mod warm_start;

mod times;
