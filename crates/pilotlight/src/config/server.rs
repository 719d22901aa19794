//! `server.*`: where callers connect, how many may, and how long leaving takes.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::key::{self, KeySpec};
use super::network::Network;
use super::value_type::ValueType;

/// Where callers connect, how many may, and how long leaving takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address to listen on.
    pub host: IpAddr,
    /// TCP port to listen on; 0 takes any free one.
    pub port: u16,
    /// Most connections held at once; `None` derives it from the open-file limit.
    pub max_connections: Option<usize>,
    /// Networks whose addresses may use the protocol of runners and supervisors.
    pub allow: Vec<Network>,
    /// Networks of proxies whose word on a caller's address is believed.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they say it.
    pub client_ip_header: String,
    /// An address of its own for operators; then the main one answers runners and supervisors only.
    pub control: Option<SocketAddr>,
    /// Whether another process may listen on the same address at the same time, so that it can take over.
    pub reuse_port: OnOff,
    /// The certificate chain in PEM; with it, every listener speaks TLS.
    pub tls_cert: Option<PathBuf>,
    /// Its private key in PEM.
    pub tls_key: Option<PathBuf>,
    /// The folder for what outlives the process.
    pub data_dir: PathBuf,
    /// Time that requests under way get to finish once the process was asked to stop.
    pub grace: Duration,
}

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnOff {
    /// On.
    On,
    /// Off.
    Off,
}

impl Default for ServerConfig {
    fn default() -> Self {
        key::defaults("server")
    }
}

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "server.host",
        "127.0.0.1",
        ValueType::Address,
        "address to listen on; `0.0.0.0` or `::` for every interface",
    )
    .legacy("HOST"),
    KeySpec::new("server.port", "8080", ValueType::Port, "TCP port to listen on; 0 takes any free one")
        .legacy("PORT"),
    KeySpec::new(
        "server.max_connections",
        "auto",
        ValueType::AutoOrCount(16..),
        "most connections held at once; `auto` derives it from the open-file limit",
    ),
    KeySpec::new(
        "server.allow",
        "any",
        ValueType::ListOfNetworks,
        "networks whose addresses may use `/warm-start`, `/connect` and `/health`",
    ),
    KeySpec::new(
        "server.trusted_proxies",
        "",
        ValueType::ListOfNetworks,
        "networks of proxies whose word on a caller's address is believed",
    ),
    KeySpec::new(
        "server.client_ip_header",
        "X-Forwarded-For",
        ValueType::HeaderName,
        "the header in which trusted proxies say it",
    ),
    KeySpec::new(
        "server.control",
        "none",
        ValueType::NoneOrSocket,
        "an address of its own for the dashboard, with the `/api/jobs` that its page asks, `/metrics` and `/api/admin`; the main one then answers callers, runners and supervisors only",
    ),
    KeySpec::new(
        "server.reuse_port",
        "off",
        ValueType::OneOf(&["on", "off"]),
        "whether the next process may listen on the same address already, to take over without a gap",
    ),
    KeySpec::new(
        "server.tls_cert",
        "none",
        ValueType::NoneOrPath,
        "certificate chain (PEM); with it and `server.tls_key` every listener speaks TLS; read again when it changes",
    ),
    KeySpec::new("server.tls_key", "none", ValueType::NoneOrPath, "private key (PEM) of that certificate"),
    KeySpec::new(
        "server.data_dir",
        "./pilotlight-data",
        ValueType::Path,
        "folder for what outlives the process: the jobs, unless `store.url` names a database",
    ),
    KeySpec::new(
        "server.grace",
        "8s",
        ValueType::Duration(Duration::ZERO..=Duration::from_mins(10)),
        "time that requests under way get to finish once the process was asked to stop",
    ),
];
