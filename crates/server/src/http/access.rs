//! The middleware that guards a route: collects the facts about the caller, asks `core::access` for permission and
//! `rate_limit` for the rate, and refuses the request when one of them denies it. It must not decide by itself who may
//! do what.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::Uri;
use hyper::header::{HOST, HeaderMap, ORIGIN};
use pilotlight_core::access::{AccessDenied, Caller, PeerOrigin, Permission, WebOrigin, authorize};
use pilotlight_core::rate_limit::RateClass;

use crate::http::auth::peer_address;
use crate::http::body::BodyLimit;
use crate::http::edge::Edge;
use crate::http::error::ApiError;
use crate::http::route::{CheckedBy, Route};

/// What the middleware needs to guard one route.
#[derive(Debug, Clone)]
pub(crate) struct RouteGuard {
    edge: Arc<Edge>,
    permission: Permission,
    checked_by: CheckedBy,
    rate_class: Option<RateClass>,
    body_limit: BodyLimit,
}

impl RouteGuard {
    /// The guard of this route.
    pub(crate) fn new(edge: &Arc<Edge>, route: &Route) -> Self {
        let &Route { permission, checked_by, rate_class, body_bytes, .. } = route;
        Self { edge: Arc::clone(edge), permission, checked_by, rate_class, body_limit: BodyLimit(body_bytes) }
    }
}

/// Refuses a request without the permission, or above the rate limit. Adds the route's body limit to the request, for
/// the handler.
pub(crate) async fn guard(State(guard): State<RouteGuard>, mut request: Request, next: Next) -> Response {
    let RouteGuard { edge, permission, checked_by, rate_class, body_limit } = guard;
    if checked_by == CheckedBy::Guard
        && let Err(denied) = authorize_request(&edge, permission, &request)
    {
        return ApiError::from(denied).into_response();
    }
    if let Some(rate_class) = rate_class
        && let Err(exceeded) = edge.rate_limits.check(&edge.auth, rate_class, &request)
    {
        return exceeded.into_response();
    }
    request.extensions_mut().insert(body_limit);
    next.run(request).await
}

/// Checks that the sender of this request has the permission.
///
/// # Errors
/// The reason why access is denied.
pub(crate) fn authorize_request<B>(
    edge: &Edge,
    permission: Permission,
    request: &hyper::Request<B>,
) -> Result<(), AccessDenied> {
    let peer = peer_address(request);
    authorize(permission, edge.auth.keys(), caller(edge, peer, request.uri(), request.headers()))
}

fn caller(edge: &Edge, peer: IpAddr, target: &Uri, headers: &HeaderMap) -> Caller {
    let (host, auth) = (host(target, headers), &edge.auth);
    let client = auth.client(peer, headers);
    Caller {
        network_is_allowed: client.is_some_and(|client| auth.may_use_protocol(client)),
        peer_origin: peer_origin(peer, host, auth.is_forwarded(peer, headers)),
        web_origin: web_origin(host, headers),
        key: edge.auth.bearer(headers),
        session: edge.auth.sessions.presented(headers, edge.clock.now()),
    }
}

fn peer_origin(peer: IpAddr, host: Option<&str>, is_forwarded: bool) -> PeerOrigin {
    if !peer.to_canonical().is_loopback() {
        PeerOrigin::OtherMachine
    } else if is_forwarded {
        PeerOrigin::BehindProxy
    } else if !host.is_some_and(is_loopback_name) {
        PeerOrigin::NonLoopbackHost
    } else {
        PeerOrigin::Loopback
    }
}

/// Which web page sent the request. A page of this service has the origin that the request's host names.
fn web_origin(host: Option<&str>, headers: &HeaderMap) -> WebOrigin {
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return web_origin_without_header(headers) };
    let origin = origin.to_str().ok().filter(|_| origins.next().is_none());
    let name = origin.and_then(|origin| origin.strip_prefix("http://").or(origin.strip_prefix("https://")));
    match (name, host) {
        (Some(name), Some(host)) if name.eq_ignore_ascii_case(host) => WebOrigin::SameOrigin,
        (Some(_) | None, _) => WebOrigin::CrossOrigin,
    }
}

/// Browsers send no `Origin` with most `GET` requests. Newer ones say in `Sec-Fetch-Site` that another site's page sent
/// the request. A person who follows a link on such a page (`Sec-Fetch-Mode: navigate`) does not count as that page.
fn web_origin_without_header(headers: &HeaderMap) -> WebOrigin {
    let is = |name, expected| headers.get(name).is_some_and(|value| value == expected);
    let is_foreign = is("sec-fetch-site", "cross-site") || is("sec-fetch-site", "same-site");
    if is_foreign && !is("sec-fetch-mode", "navigate") { WebOrigin::CrossOrigin } else { WebOrigin::None }
}

/// The host that the request names: the authority of an absolute target (RFC 9112, 3.2.2), else the `Host` header.
/// `None` when there are several `Host` headers.
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
    use hyper::header::HeaderName;

    use crate::config;
    use crate::http::auth::Auth;

    fn headers(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        lines.collect()
    }

    fn peer_origin_of(peer: &str, lines: &[(&'static str, &'static str)]) -> PeerOrigin {
        let headers = headers(lines);
        let (auth, peer) = (
            Auth::new(&config::AuthConfig::default(), &config::ServerConfig::default()),
            peer.parse().unwrap(),
        );
        peer_origin(peer, host(&Uri::from_static("/"), &headers), auth.is_forwarded(peer, &headers))
    }

    #[test]
    fn a_direct_local_call_is_loopback() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.8.9.1", "[::1]:8080", "[::1]"] {
            assert_eq!(peer_origin_of("127.0.0.1", &[("host", host)]), PeerOrigin::Loopback, "{host}");
        }
        assert_eq!(peer_origin_of("::ffff:127.0.0.1", &[("host", "localhost")]), PeerOrigin::Loopback);
    }

    #[test]
    fn all_other_callers_are_not_loopback() {
        assert_eq!(peer_origin_of("10.0.0.1", &[("host", "localhost")]), PeerOrigin::OtherMachine);
        assert_eq!(peer_origin_of("127.0.0.1", &[]), PeerOrigin::NonLoopbackHost);
        for host in
            ["pilotlight.example", "localhost.example", "10.0.0.1:8080", "", "[::2]", "127.0.0.1.example:80"]
        {
            assert_eq!(peer_origin_of("127.0.0.1", &[("host", host)]), PeerOrigin::NonLoopbackHost, "{host}");
        }
        for name in
            ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"]
        {
            let lines = [("host", "localhost"), (name, "null")];
            assert_eq!(peer_origin_of("127.0.0.1", &lines), PeerOrigin::BehindProxy, "{name}");
        }
    }

    #[test]
    fn same_origin_has_the_requested_host() {
        let web_origin_of =
            |lines: &[(&'static str, &'static str)]| web_origin(Some("a.example:8080"), &headers(lines));
        assert_eq!(web_origin_of(&[]), WebOrigin::None);
        for own in ["http://a.example:8080", "https://A.example:8080"] {
            assert_eq!(web_origin_of(&[("origin", own)]), WebOrigin::SameOrigin, "{own}");
        }
        for foreign in ["null", "http://a.example", "http://b.example:8080", "a.example:8080", "file://"] {
            assert_eq!(web_origin_of(&[("origin", foreign)]), WebOrigin::CrossOrigin, "{foreign}");
        }
        assert_eq!(web_origin_of(&[("sec-fetch-site", "cross-site")]), WebOrigin::CrossOrigin);
        assert_eq!(
            web_origin_of(&[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")]),
            WebOrigin::None
        );
        assert_eq!(web_origin_of(&[("sec-fetch-site", "same-origin")]), WebOrigin::None);
        let repeated = [("origin", "http://a.example:8080"), ("origin", "http://a.example:8080")];
        assert_eq!(web_origin_of(&repeated), WebOrigin::CrossOrigin);
        assert_eq!(web_origin(None, &headers(&repeated[..1])), WebOrigin::CrossOrigin);
    }
}
