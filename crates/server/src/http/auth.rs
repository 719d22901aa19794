//! Determines facts about a caller for `core::access`: the scopes of its key, its real address behind proxies, and
//! whether its network is allowed. Keys are stored as hashes only and compared in constant time. The configured keys,
//! networks and proxies are the sections `auth` and `server` of the configuration.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use pilotlight_core::access::{PresentedKey, Scope, Scopes};
use pilotlight_net::conn::Conn;
use subtle::ConstantTimeEq;

use crate::config::{self, Network, Secret, ServerConfig};
use crate::http::key_hash::{KeyHash, hash};
use crate::http::session_store::Sessions;

/// The configured keys and networks, and the open sessions.
#[derive(Debug)]
pub(crate) struct Auth {
    keys: Vec<(Scope, KeyHash)>,
    networks: Networks,
    /// The sessions of operators who signed in on the dashboard page.
    pub sessions: Sessions,
}

#[derive(Debug)]
struct Networks {
    allowed: Vec<Network>,
    proxies: Vec<Network>,
    client_ip: HeaderName,
}

impl Auth {
    /// Reads the keys and networks of these configuration sections.
    #[must_use]
    pub(crate) fn new(keys: &config::AuthConfig, server: &ServerConfig) -> Self {
        let of = |scope, keys: &[Secret]| -> Vec<_> {
            keys.iter().map(|key| (scope, hash(key.reveal()))).collect()
        };
        let keys = Scope::ALL.map(|scope| of(scope, configured_keys(keys, scope)));
        let client_ip = HeaderName::try_from(server.client_ip_header.as_str());
        let networks = Networks {
            allowed: server.allow.clone(),
            proxies: server.trusted_proxies.clone(),
            client_ip: client_ip.expect("the configuration accepts only valid header names"),
        };
        Self { keys: keys.concat(), networks, sessions: Sessions::default() }
    }

    /// The scopes that keys are configured for.
    #[must_use]
    pub(crate) fn keys(&self) -> Scopes {
        self.keys.iter().fold(Scopes::NONE, |scopes, (scope, _)| scopes.union(Scopes::only(*scope)))
    }

    /// The scopes of this key. Every configured key is compared, so that the response time reveals nothing about them.
    #[must_use]
    pub(crate) fn key(&self, key: &str) -> PresentedKey {
        let presented = hash(key);
        let scopes = self.keys.iter().fold(Scopes::NONE, |scopes, (scope, key)| {
            if bool::from(key.ct_eq(&presented)) { scopes.union(Scopes::only(*scope)) } else { scopes }
        });
        if scopes == Scopes::NONE { PresentedKey::Unknown } else { PresentedKey::Known(scopes) }
    }

    /// The scopes of the key in `Authorization: Bearer <key>`.
    #[must_use]
    pub(crate) fn bearer(&self, headers: &HeaderMap) -> PresentedKey {
        match Authorization::from_headers(headers) {
            Authorization::Bearer(key) => self.key(key),
            // Another scheme is meant for a proxy in front of this service.
            Authorization::None | Authorization::OtherScheme => PresentedKey::None,
            Authorization::Unreadable => PresentedKey::Unknown,
        }
    }

    /// Whether requests on a connection from this address need no further access checks: the peer is not a proxy, so
    /// all of them come from this address, and it may use the protocol.
    #[must_use]
    pub(crate) fn may_use_fast_path(&self, peer: IpAddr) -> bool {
        !self.networks.is_proxy(peer) && self.may_use_protocol(peer)
    }

    /// Whether this address may use the warm-start protocol. A loopback address always may.
    #[must_use]
    pub(crate) fn may_use_protocol(&self, client: IpAddr) -> bool {
        client.to_canonical().is_loopback() || contains(&self.networks.allowed, client)
    }

    /// The client's address behind trusted proxies; `None` when the forwarding header cannot be parsed.
    #[must_use]
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        self.networks.client(peer, headers)
    }

    /// Whether a request came through a proxy: the peer is a trusted proxy, or the request has a forwarding header.
    #[must_use]
    pub(crate) fn is_forwarded(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        self.networks.is_proxy(peer) || headers.keys().any(|name| self.networks.is_forwarding(name))
    }
}

/// The address of the peer that sent a request: the client's, or a proxy's.
///
/// # Panics
/// When the request did not come from the accept loop, which adds the connection to every request.
pub(crate) fn peer_address<B>(request: &hyper::Request<B>) -> IpAddr {
    let conn = request.extensions().get::<Arc<Conn>>();
    conn.expect("the accept loop adds the connection to every request").peer().ip()
}

/// The hash of the key in `Authorization: Bearer <key>`, whether the key is known or not.
pub(super) fn presented_key_hash(headers: &HeaderMap) -> Option<KeyHash> {
    match Authorization::from_headers(headers) {
        Authorization::Bearer(key) => Some(hash(key)),
        Authorization::None | Authorization::OtherScheme | Authorization::Unreadable => None,
    }
}

enum Authorization<'a> {
    None,
    Bearer(&'a str),
    OtherScheme,
    Unreadable,
}

impl<'a> Authorization<'a> {
    fn from_headers(headers: &'a HeaderMap) -> Self {
        let Some(value) = headers.get(AUTHORIZATION) else { return Self::None };
        match value.to_str().ok().and_then(|value| value.split_once(' ')) {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Self::Bearer(key.trim()),
            Some(_) => Self::OtherScheme,
            None => Self::Unreadable,
        }
    }
}

fn configured_keys(keys: &config::AuthConfig, scope: Scope) -> &[Secret] {
    match scope {
        Scope::Admin => &keys.admin_keys,
        Scope::Runner => &keys.runner_keys,
        Scope::Submit => &keys.submit_keys,
    }
}

impl Networks {
    fn is_proxy(&self, address: IpAddr) -> bool {
        contains(&self.proxies, address)
    }

    fn is_forwarding(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        *name == self.client_ip
            || matches!(text, "forwarded" | "via" | "x-real-ip")
            || text.starts_with("x-forwarded-")
    }

    /// The client is the last address in the list that is not a trusted proxy, because each proxy appends the address
    /// of its peer. Addresses before that one can be forged. An entry that cannot be parsed makes the client unknown.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let values: Vec<&[u8]> = headers.get_all(&self.client_ip).iter().map(HeaderValue::as_bytes).collect();
        let mut client = peer;
        let mut forwarded = values.iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
        while self.is_proxy(client)
            && let Some(before) = forwarded.next()
        {
            client = address(std::str::from_utf8(before).ok()?)?;
        }
        Some(client)
    }
}

fn contains(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// Parses an IP address. Some proxies append a port, which is ignored.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let plain = text.trim_start_matches('[').trim_end_matches(']');
    plain.parse().ok().or_else(|| text.parse().ok().map(|with_port: std::net::SocketAddr| with_port.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn auth(env: &[(&str, &str)]) -> Auth {
        let env = env.iter().map(|(name, value)| (name.into(), value.into()));
        let config = load(None, env).unwrap().config;
        Auth::new(&config.auth, &config.server)
    }

    fn headers(name: &'static str, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn each_scope_may_have_several_keys_and_a_key_several_scopes() {
        let auth = auth(&[
            ("ADMIN_API_KEY", "old, new"),
            ("RUNNER_API_KEY", "runs, new"),
            ("SUBMIT_API_KEY", "asks"),
        ]);
        let [admin, runner, submit] = Scope::ALL.map(Scopes::only);
        assert_eq!(auth.keys(), admin.union(runner).union(submit));
        for (value, key) in [
            ("Bearer old", PresentedKey::Known(admin)),
            ("bearer new", PresentedKey::Known(admin.union(runner))),
            ("Bearer runs", PresentedKey::Known(runner)),
            ("Bearer asks", PresentedKey::Known(submit)),
            ("Bearer old, new", PresentedKey::Unknown),
            ("Bearer ", PresentedKey::Unknown),
            ("Basic old", PresentedKey::None),
            ("old", PresentedKey::Unknown),
        ] {
            assert_eq!(auth.bearer(&headers("authorization", &[value])), key, "{value}");
        }
        assert_eq!(auth.bearer(&HeaderMap::new()), PresentedKey::None);
    }

    #[test]
    fn only_trusted_proxies_set_the_client_address() {
        let auth = auth(&[("PILOTLIGHT_SERVER_TRUSTED_PROXIES", "10.0.0.0/8")]);
        for (peer, forwarded, client) in [
            ("192.0.2.1", &["198.51.100.7"] as &[_], Some("192.0.2.1")),
            ("10.0.0.1", &["198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &["127.0.0.1, 198.51.100.7, 10.9.9.9"], Some("198.51.100.7")),
            ("10.0.0.1", &["127.0.0.1", "198.51.100.7:443"], Some("198.51.100.7")),
            ("10.0.0.1", &["[2001:db8::1]:443"], Some("2001:db8::1")),
            ("10.0.0.1", &["somebody"], None),
            ("10.0.0.1", &["198.51.100.7, \u{ff}"], None),
            ("10.0.0.1", &["\u{ff}, 198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &["198.51.100.7,"], None),
            ("10.0.0.1", &[], Some("10.0.0.1")),
        ] {
            let values = forwarded.iter().map(|value| HeaderValue::from_bytes(value.as_bytes()).unwrap());
            let headers = values.map(|value| (HeaderName::from_static("x-forwarded-for"), value)).collect();
            let got = auth.client(peer.parse().unwrap(), &headers).map(|client| client.to_string());
            assert_eq!(got.as_deref(), client, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn the_protocol_is_for_allowed_networks_and_this_machine() {
        let auth = auth(&[("PILOTLIGHT_SERVER_ALLOW", "10.1.0.0/16, 2001:db8::/32")]);
        for (address, may) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("10.2.0.1", false),
            ("2001:db8::1", true),
            ("127.0.0.1", true),
        ] {
            assert_eq!(auth.may_use_protocol(address.parse().unwrap()), may, "{address}");
        }
    }
}
