//! `server.*`: where callers connect, how many may, and how long leaving takes.

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

use super::key::{self, Key};
use super::takes::Takes;

/// Where callers connect, how many may, and how long leaving takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address to listen on.
    pub host: IpAddr,
    /// TCP port to listen on; 0 takes any free one.
    pub port: u16,
    /// Most connections held at once; `None` derives it from the open-file limit.
    pub max_connections: Option<usize>,
    /// Time that requests under way get to finish once the process was asked to stop.
    pub grace: Duration,
}

impl Default for Server {
    fn default() -> Self {
        key::defaults("server")
    }
}

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "server.host",
        "127.0.0.1",
        Takes::Address,
        "address to listen on; `0.0.0.0` or `::` for every interface",
    )
    .legacy("HOST"),
    Key::new("server.port", "8080", Takes::Port, "TCP port to listen on; 0 takes any free one")
        .legacy("PORT"),
    Key::new(
        "server.max_connections",
        "auto",
        Takes::AutoOrCount(16..),
        "most connections held at once; `auto` derives it from the open-file limit",
    ),
    Key::new(
        "server.grace",
        "8s",
        Takes::Duration(Duration::ZERO..=Duration::from_mins(10)),
        "time that requests under way get to finish once the process was asked to stop",
    ),
];
