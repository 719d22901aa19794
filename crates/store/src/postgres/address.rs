//! Parses the database's address, once, and builds its display name. Neither the display name nor an error text ever
//! contains the user or the password.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::tls::Trust;
use crate::error::Error;

/// Time limit of a connection attempt to each of the server's IP addresses.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection is closed when sent data stays unacknowledged for this long (`TCP_USER_TIMEOUT`).
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle time after which TCP keepalive probes are sent.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// The address of a database, and the options of its connections.
#[derive(Clone)]
pub(super) struct Address {
    /// The client library's configuration, including user and password.
    pub(super) config: tokio_postgres::Config,
    /// Which certificates a TLS connection accepts.
    pub(super) trust: Trust,
    /// Name for logs and error texts, without user and password.
    pub(super) shown: String,
}

impl Address {
    /// Parses `postgres://user:password@host:port/database?option=value`.
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let (url, tls) = TlsOptions::take_from(url)?;
        let mut config: tokio_postgres::Config = url.parse().map_err(|_| invalid_address(INVALID_URL))?;
        if config.get_hosts().is_empty() {
            config.host("localhost");
        }
        if config.get_application_name().is_none() {
            config.application_name("pilotlight");
        }
        config.ssl_mode(tls.mode.to_ssl_mode());
        config.connect_timeout(config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT));
        config
            .tcp_user_timeout(SEND_TIMEOUT)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(CONNECT_TIMEOUT);
        if config.get_hosts().len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let shown = display_name(&config);
        Ok(Self { config, trust: tls.trust()?, shown })
    }
}

const INVALID_URL: &str = "it is not a valid URL; write postgres://user:password@host:5432/database, with special \
                              characters percent-encoded (`@` as `%40`) and only options that libpq knows";

/// An error never repeats a part of the address, because it may be a part of the password.
fn invalid_address(why: &str) -> Error {
    Error::Unavailable(format!("failed to read the database's address: {why}"))
}

fn display_name(config: &tokio_postgres::Config) -> String {
    let ports = config.get_ports();
    let hosts: Vec<_> = config
        .get_hosts()
        .iter()
        .enumerate()
        .map(|(at, host)| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(folder) => format!("{}:{port}", folder.display()),
            }
        })
        .collect();
    let database = config.get_dbname().map(|name| format!("/{name}")).unwrap_or_default();
    format!("PostgreSQL at {}{database}", hosts.join(","))
}

/// The TLS options of the address, which the client library does not know.
#[derive(Default)]
struct TlsOptions {
    mode: TlsMode,
    roots: Option<String>,
}

/// Whether a connection must use TLS, as `sslmode` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS if the server supports it.
    #[default]
    Prefer,
    /// TLS, with any certificate unless `sslrootcert` is given.
    Require,
    /// TLS, with a valid certificate for the host name.
    Verify,
}

impl TlsOptions {
    /// Splits the address into an address without TLS options, and the TLS options.
    fn take_from(url: &str) -> Result<(String, Self), Error> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(invalid_address(INVALID_URL));
        }
        // The password ends at the first `@`; it may contain `?`.
        let host_at = url.find('@').map_or(0, |at| at + 1);
        let Some(options_at) = url[host_at..].find('?').map(|at| host_at + at) else {
            return reject_second_at(&url[host_at..]).map(|()| (url.to_owned(), Self::default()));
        };
        reject_second_at(&url[host_at..options_at])?;
        let mut tls = Self::default();
        let mut rest = Vec::new();
        for option in url[options_at + 1..].split('&') {
            match option.split_once('=') {
                Some(("sslmode", mode)) => tls.mode = TlsMode::parse(mode)?,
                Some(("sslrootcert", roots)) => tls.roots = Some(unescaped(roots)?),
                Some(("sslcert" | "sslkey", _)) => return Err(invalid_address(NO_CLIENT_CERTIFICATE)),
                Some(_) | None => rest.push(option),
            }
        }
        Ok((format!("{}?{}", &url[..options_at], rest.join("&")), tls))
    }

    fn trust(&self) -> Result<Trust, Error> {
        match (self.mode, self.roots.as_deref()) {
            (TlsMode::Disable, _) | (TlsMode::Prefer | TlsMode::Require, None) => Ok(Trust::AnyCertificate),
            (TlsMode::Verify, None) | (_, Some("system")) => Ok(Trust::PublicRoots),
            (TlsMode::Prefer | TlsMode::Require | TlsMode::Verify, Some(path)) => {
                Trust::roots_in(&PathBuf::from(path))
            }
        }
    }
}

const NO_CLIENT_CERTIFICATE: &str = "`sslcert` and `sslkey` are not supported; use a password instead";

/// Rejects a second `@`. It belongs to a password that is not percent-encoded; the rest of the password would be taken
/// for a host name and shown.
fn reject_second_at(authority: &str) -> Result<(), Error> {
    if authority.contains('@') { Err(invalid_address(INVALID_URL)) } else { Ok(()) }
}

fn unescaped(value: &str) -> Result<String, Error> {
    let text = percent_encoding::percent_decode_str(value).decode_utf8();
    text.map(std::borrow::Cow::into_owned).map_err(|_| invalid_address(INVALID_URL))
}

impl TlsMode {
    fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "disable" => Ok(Self::Disable),
            "allow" | "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" | "verify-full" => Ok(Self::Verify),
            _ => Err(invalid_address("`sslmode` must be disable, prefer, require or verify-full")),
        }
    }

    const fn to_ssl_mode(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::Verify => SslMode::Require,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(url: &str) -> String {
        Address::parse(url).map(|address| address.shown).expect_err("an invalid address").to_string()
    }

    #[test]
    fn the_display_name_is_host_port_and_database() {
        for (url, shown) in [
            ("postgres://u:secret@db.example:6543/jobs", "PostgreSQL at db.example:6543/jobs"),
            ("postgresql://u:se/cr?et@db.example/jobs?sslmode=disable", "PostgreSQL at db.example:5432/jobs"),
            ("postgres://u:secret@a,b:6543/jobs", "PostgreSQL at a:5432,b:6543/jobs"),
            ("postgres:///jobs?password=secret&host=/run/pg", "PostgreSQL at /run/pg:5432/jobs"),
            ("postgres://", "PostgreSQL at localhost:5432"),
        ] {
            assert_eq!(Address::parse(url).unwrap().shown, shown, "{url}");
        }
    }

    #[test]
    fn an_invalid_address_never_shows_its_password() {
        for url in [
            "postgres://u:secret@x@db.example/jobs",
            "postgres://u:secret@db.example:port/jobs",
            "postgres://u:secret@db.example/jobs?secret=1",
            "postgres://u:secret@db.example/jobs?password=secret&secret",
            "postgres://u:secret@db.example/jobs?sslmode=secret",
            "postgres://u:secret@db.example/jobs?sslcert=secret",
            "mysql://u:secret@db.example/jobs",
            "u:secret@db.example/jobs",
            "",
        ] {
            let why = error_of(url);
            assert!(!why.contains("secret") && why.contains("address"), "{why}");
        }
    }

    #[test]
    fn sslmode_selects_the_tls_mode() {
        for (option, mode) in [
            ("", SslMode::Prefer),
            ("?sslmode=disable", SslMode::Disable),
            ("?sslmode=prefer&connect_timeout=2", SslMode::Prefer),
            ("?connect_timeout=2&sslmode=require", SslMode::Require),
            ("?sslmode=verify-full", SslMode::Require),
        ] {
            let address = Address::parse(&format!("postgres://u:p@h/d{option}")).unwrap();
            assert_eq!(address.config.get_ssl_mode(), mode, "{option}");
        }
        let strict = Address::parse("postgres://h/d?sslmode=verify-full").unwrap();
        assert!(matches!(strict.trust, Trust::PublicRoots));
    }
}
