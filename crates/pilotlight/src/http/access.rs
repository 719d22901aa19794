//! Who may call what. A web page always sends `Origin`, and a proxy says for whom it speaks: neither is a person
//! or a program on this machine.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::Uri;
use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};

use super::error::Refusal;
use crate::net::conn::Conn;

/// The text for a request that a web page sent.
pub const FROM_A_PAGE: &str =
    "this path answers runners and supervisors, which send no Origin header; web pages do";

/// Whether a web page sent this.
#[must_use]
pub fn is_from_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN)
}

/// Refuses web pages.
pub async fn not_from_a_page(request: Request, next: Next) -> Response {
    if is_from_a_page(request.headers()) {
        return Refusal::forbidden(FROM_A_PAGE).into_response();
    }
    next.run(request).await
}

/// Refuses everything but a direct call from this machine, by a loopback name.
pub async fn from_this_machine(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Arc<Conn>>().map(|conn| conn.peer());
    match stranger(peer, request.uri(), request.headers()) {
        Some(why) => Refusal::forbidden(why).into_response(),
        None => next.run(request).await,
    }
}

fn stranger(peer: Option<SocketAddr>, target: &Uri, headers: &HeaderMap) -> Option<&'static str> {
    if !peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
        return Some("without keys configured this path is for callers on this machine (127.0.0.1) only");
    }
    if is_from_a_page(headers) {
        return Some(
            "without keys configured this path refuses web pages (the request has an Origin header)",
        );
    }
    if headers.keys().any(is_forwarding) {
        return Some(
            "without keys configured this path refuses proxies (the request has a forwarding header)",
        );
    }
    if !host(target, headers).is_some_and(is_loopback_name) {
        return Some("without keys configured this path is called by a loopback name, such as localhost");
    }
    None
}

fn is_forwarding(name: &HeaderName) -> bool {
    let name = name.as_str();
    name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-")
}

/// By which name the service was called: the target's own when it has one (RFC 9112, 3.2.2), else the one header's.
fn host<'a>(target: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    if let Some(authority) = target.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_stranger(peer: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        stranger(Some(peer.parse().unwrap()), &Uri::from_static("/"), &headers).is_some()
    }

    #[test]
    fn a_direct_call_from_this_machine_is_let_in() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.8.9.1", "[::1]:8080", "[::1]"] {
            assert!(!is_stranger("127.0.0.1:9", &[("host", host)]), "{host}");
        }
        assert!(!is_stranger("[::ffff:127.0.0.1]:9", &[("host", "localhost")]));
    }

    #[test]
    fn everybody_else_is_a_stranger() {
        assert!(is_stranger("10.0.0.1:9", &[("host", "localhost")]));
        assert!(is_stranger("127.0.0.1:9", &[]));
        for host in
            ["pilotlight.example", "localhost.example", "10.0.0.1:8080", "", "[::2]", "127.0.0.1.example:80"]
        {
            assert!(is_stranger("127.0.0.1:9", &[("host", host)]), "{host}");
        }
        for name in
            ["origin", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"]
        {
            assert!(is_stranger("127.0.0.1:9", &[("host", "localhost"), (name, "null")]), "{name}");
        }
    }
}
