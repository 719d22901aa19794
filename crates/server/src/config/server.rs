//! `server.*`: listening addresses, connection limit, trusted networks, TLS, data folder and shutdown time.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::key::{self, KeySpec};
use crate::config::network::Network;
use crate::config::value_type::ValueType;

/// Listening addresses, connection limit, trusted networks, TLS, data folder and shutdown time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address to listen on.
    pub host: IpAddr,
    /// TCP port to listen on; 0 chooses a free one.
    pub port: u16,
    /// Most connections that may be open at once; `None` derives the limit from the open-file limit.
    pub max_connections: Option<usize>,
    /// Networks whose addresses may use the protocol of runners and supervisors.
    pub allow: Vec<Network>,
    /// Networks of proxies; the service believes the client address that these send.
    pub trusted_proxies: Vec<Network>,
    /// The header in which trusted proxies send the client address.
    pub client_ip_header: String,
    /// A separate listening address for operators; then the main address serves callers, runners and supervisors only.
    pub control: Option<SocketAddr>,
    /// Whether another process may listen on the same address at the same time, so that it can take over without a gap.
    pub reuse_port: OnOff,
    /// The certificate chain in PEM; with it, every listener speaks TLS.
    pub tls_cert: Option<PathBuf>,
    /// The private key of `tls_cert` in PEM.
    pub tls_key: Option<PathBuf>,
    /// The folder for data that outlives the process.
    pub data_dir: PathBuf,
    /// How long requests under way may continue after the process was asked to stop.
    pub grace: Duration,
}

/// An on/off setting.
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
        key::defaults("server", KEYS)
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
    KeySpec::new("server.port", "8080", ValueType::Port, "TCP port to listen on; 0 chooses a free one")
        .legacy("PORT"),
    KeySpec::new(
        "server.max_connections",
        "auto",
        ValueType::AutoOrCount(16..),
        "most connections that may be open at once; `auto` derives the limit from the open-file limit",
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
        "networks of proxies; the service believes the client address that these send",
    ),
    KeySpec::new(
        "server.client_ip_header",
        "X-Forwarded-For",
        ValueType::HeaderName,
        "the header in which trusted proxies send the client address",
    ),
    KeySpec::new(
        "server.control",
        "none",
        ValueType::NoneOrSocket,
        "a separate listening address for the dashboard (with the `/api/jobs` that its page uses), `/metrics` and `/api/admin`; the main address then serves callers, runners and supervisors only",
    ),
    KeySpec::new(
        "server.reuse_port",
        "off",
        ValueType::OneOf(&["on", "off"]),
        "whether another process may listen on the same address at the same time, so that it can take over without a gap",
    ),
    KeySpec::new(
        "server.tls_cert",
        "none",
        ValueType::NoneOrPath,
        "file with the certificate chain (PEM); with it and `server.tls_key` every listener speaks TLS; the file is read again when it changes",
    ),
    KeySpec::new(
        "server.tls_key",
        "none",
        ValueType::NoneOrPath,
        "file with the private key (PEM) of `server.tls_cert`",
    ),
    KeySpec::new(
        "server.data_dir",
        "./pilotlight-data",
        ValueType::Path,
        "folder for data that outlives the process: the jobs, unless `store.url` names a database",
    ),
    KeySpec::new(
        "server.grace",
        "8s",
        ValueType::Duration(Duration::ZERO..=Duration::from_mins(10)),
        "how long requests under way may continue after the process was asked to stop",
    ),
];
