//! `pilotlight health`: requests `/health` of a running service, prints one line, and ends within three seconds.
//!
//! It is the container's health check, so it must not need more than the configuration that the service itself has.
#![allow(clippy::print_stderr, reason = "errors go to stderr")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, ensure};
use hyper::{StatusCode, Uri};
use pilotlight_server::config::ServerConfig;
use pilotlight_server::https_client_builder;
use pilotlight_wire::warm_start::Health;
use reqwest::header::ACCEPT;
use reqwest::redirect::Policy;

use super::config::{self, ConfigArgs};
use super::exit_code::Code;
use super::failure::Failure;
use super::output;

/// The time for the whole request: DNS lookup, connecting and the response.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Most bytes of a response's body; the service's own response is under 1 KiB.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// The address of a service: `http://host:port` or `https://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HealthUrl {
    scheme: Scheme,
    /// A host name or an IP address; an IPv6 address without brackets.
    host: String,
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// The service's response.
struct HealthResponse {
    status: StatusCode,
    body: String,
}

/// Requests `/health` and prints the result. Every status other than `ok` is a failure.
pub(super) fn run(config_args: &ConfigArgs, url: Option<HealthUrl>, json: bool) -> Result<(), Failure> {
    let url = match url {
        Some(url) => url,
        None => listen_url(&config::load(config_args)?.config.server)?,
    };
    let response = fetch_with_timeout(&url)?;
    if json && !response.body.is_empty() {
        output::line(response.body.trim_end())?;
    }
    let health =
        response.health().with_context(|| format!("failed to parse the response of {url}/health"))?;
    if health.status != "ok" {
        return Err(anyhow::anyhow!("the status at {url}/health is {}", health.status).into());
    }
    if json { Ok(()) } else { output::line(line(&health)) }
}

/// The URL of the service's own listener. A service on all interfaces is requested on loopback, which is always
/// allowed.
fn listen_url(server: &ServerConfig) -> Result<HealthUrl, Failure> {
    if server.port == 0 {
        let why =
            "failed to find the service's port: server.port is 0 (a free port); give the address with --url";
        return Err(Failure::report(Code::Usage, why));
    }
    let host = match server.host {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        host @ (IpAddr::V4(_) | IpAddr::V6(_)) => host,
    };
    let scheme = if server.tls_cert.is_some() { Scheme::Https } else { Scheme::Http };
    Ok(HealthUrl { scheme, host: host.to_string(), port: server.port })
}

fn fetch_with_timeout(url: &HealthUrl) -> anyhow::Result<HealthResponse> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fetched = runtime.block_on(async { tokio::time::timeout(TIMEOUT, fetch(url)).await });
    // Do not wait for a DNS lookup that is still in progress.
    runtime.shutdown_background();
    let response =
        fetched.with_context(|| format!("{url}/health did not answer within {} s", TIMEOUT.as_secs()))?;
    response.with_context(|| format!("failed to ask {url}/health"))
}

async fn fetch(url: &HealthUrl) -> anyhow::Result<HealthResponse> {
    // The certificate is not verified: the check does not depend on the peer's identity, and no secret is sent.
    let client = https_client_builder()?.danger_accept_invalid_certs(true);
    let client = client.no_proxy().redirect(Policy::none()).build()?;
    let request = client.get(format!("{url}/health")).header(ACCEPT, "application/json");
    let mut response = request.send().await.map_err(root_cause)?;
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(root_cause)? {
        ensure!(body.len() + piece.len() <= MAX_BODY_BYTES, "the response is too large");
        body.extend_from_slice(&piece);
    }
    Ok(HealthResponse { status: response.status(), body: String::from_utf8_lossy(&body).into_owned() })
}

/// The outer errors only say that the request failed.
fn root_cause(error: reqwest::Error) -> anyhow::Error {
    anyhow::anyhow!("{}", anyhow::Error::new(error.without_url()).root_cause())
}

fn line(health: &Health) -> String {
    format!(
        "ok: {} runners wait, {} execute, {} connections, acknowledgement {}, version {}, up {} s",
        health.waiting_runners,
        health.executing_runners,
        health.connections,
        health.ack,
        health.version,
        health.uptime_ms / 1000,
    )
}

impl HealthResponse {
    fn health(&self) -> anyhow::Result<Health> {
        ensure!(self.status == StatusCode::OK, "the status is {}", self.status.as_u16());
        serde_json::from_str(&self.body).context("the body is not the health of a Pilotlight service")
    }
}

impl HealthUrl {
    fn authority(&self) -> String {
        let Self { scheme: _, host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl std::fmt::Display for HealthUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl FromStr for HealthUrl {
    type Err = String;

    /// Parses `http://host[:port]` or `https://host[:port]`, optionally followed by `/health`.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected http://host:port".to_owned();
        let uri: Uri = text.parse().map_err(|_| expected())?;
        let known_path = matches!(uri.path(), "" | "/" | "/health" | "/health/") && uri.query().is_none();
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some(_) | None => return Err(expected()),
        };
        if !known_path {
            return Err(expected());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(expected)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let default_port = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        let port = uri.port_u16().unwrap_or(default_port);
        Ok(Self { scheme, host, port })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    fn url(text: &str) -> Result<String, String> {
        text.parse::<HealthUrl>().map(|url| url.to_string())
    }

    #[test]
    fn a_url_names_a_host_and_perhaps_a_port_and_the_path() {
        for (text, means) in [
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://localhost:8080/health", "http://localhost:8080"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("http://pilotlight", "http://pilotlight:80"),
            ("https://pilotlight/health", "https://pilotlight:443"),
        ] {
            assert_eq!(url(text).as_deref(), Ok(means));
        }
        for wrong in
            ["", "localhost:8080", "ftp://localhost", "http://", "http://a/metrics", "http://a/health?x=1"]
        {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_service_on_every_interface_is_checked_on_loopback() {
        for (host, fetched) in [
            ("0.0.0.0", "http://127.0.0.1:8080"),
            ("::", "http://[::1]:8080"),
            ("127.0.0.1", "http://127.0.0.1:8080"),
            ("10.1.2.3", "http://10.1.2.3:8080"),
        ] {
            let server = ServerConfig { host: host.parse().unwrap(), port: 8080, ..ServerConfig::default() };
            assert_eq!(listen_url(&server).ok().map(|url| url.to_string()).as_deref(), Some(fetched));
        }
        assert!(
            listen_url(&ServerConfig { port: 0, ..ServerConfig::default() }).is_err(),
            "the port is not known"
        );
    }

    /// A server on a free port, which sends this response to one client and closes the connection.
    fn serve_once(response: &str) -> HealthUrl {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let response = response.to_owned();
        std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            // The whole request, so that closing the connection does not reset it.
            let mut request = BufReader::new(client.try_clone().unwrap()).lines();
            while request.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            client.write_all(response.as_bytes()).unwrap();
        });
        HealthUrl { scheme: Scheme::Http, host: "127.0.0.1".to_owned(), port }
    }

    #[test]
    fn only_a_complete_health_response_is_accepted() {
        let body = r#"{"status":"ok","waitingRunners":1,"deployments":1,"executingRunners":0,"connections":2,
            "ack":"kernel","version":"1.0.0","uptimeMs":5000,"later":true}"#;
        let health =
            |response: &str| fetch_with_timeout(&serve_once(response)).and_then(|response| response.health());
        let good = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{body}");
        let parsed = health(&good).expect("unknown fields are ignored");
        assert_eq!(
            line(&parsed),
            "ok: 1 runners wait, 0 execute, 2 connections, acknowledgement kernel, version 1.0.0, up 5 s"
        );
        for wrong in [
            "",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\n\r\nhello",
            &good.replace("200 OK", "503 Busy"),
            &good.replace("200 OK", "302 Found\r\nlocation: /health"),
            &good[..good.len() - 1],
            &format!("{good}{}", " ".repeat(MAX_BODY_BYTES)),
        ] {
            assert!(health(wrong).is_err(), "{wrong}");
        }
    }
}
