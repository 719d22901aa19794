//! Refuses who asks too often: finds out for whom a request counts, asks `core::rate_limit`, and says when to ask again.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use hyper::header::HeaderMap;
use pilotlight_core::rate_limit::{RateClass, RateKey, RateLimiter, Rates};
use pilotlight_wire::runner::RUNNER_ID_HEADER;

use super::auth::{Auth, KeyHash, hash, shown_key};
use super::error::RateLimitExceeded;
use super::router::HttpState;
use crate::net::conn::Conn;

/// Who asked lately.
#[derive(Debug)]
pub struct RateLimits(Mutex<RateLimiter<Asker>>);

impl RateLimits {
    /// As often as these say.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self(Mutex::new(RateLimiter::new(rates)))
    }
}

/// For whom a request counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Asker {
    /// A key, by its hash.
    Key(KeyHash),
    /// A caller's address; of version 6 the network that one caller is given.
    Address(IpAddr),
    /// A runner, by the hash of what it is called.
    Runner(KeyHash),
}

/// Whether whoever sent this may ask again so soon.
///
/// # Errors
/// 429, with the time to ask again.
pub fn check<B>(
    state: &HttpState,
    kind: RateClass,
    request: &hyper::Request<B>,
) -> Result<(), RateLimitExceeded> {
    let peer = request.extensions().get::<Arc<Conn>>().expect("the accept loop put it in").peer().ip();
    let counted = Counted { auth: &state.auth, peer, headers: request.headers() };
    let now = state.clock.now();
    let mut limiter = state.rate_limits.0.lock().expect("nothing panics under this lock");
    limiter
        .check(kind, |by| counted.asker(by), now)
        .map_err(|again| RateLimitExceeded { wait: again.since(now), until: state.clock.epoch_ms(again) + 1 })
}

/// What is known of who asks.
struct Counted<'a> {
    auth: &'a Auth,
    peer: IpAddr,
    headers: &'a HeaderMap,
}

impl Counted<'_> {
    fn asker(&self, by: RateKey) -> Option<Asker> {
        match by {
            RateKey::Key if self.is_this_machine() => None,
            RateKey::Key => Some(shown_key(self.headers).map_or_else(|| self.address(), Asker::Key)),
            RateKey::Address => Some(self.address()),
            RateKey::Runner => {
                let runner = self.headers.get(RUNNER_ID_HEADER)?;
                Some(Asker::Runner(hash(runner)))
            }
        }
    }

    /// A proxy on this machine speaks for others.
    fn is_this_machine(&self) -> bool {
        self.peer.to_canonical().is_loopback() && !self.auth.is_forwarded(self.peer, self.headers)
    }

    /// What a proxy says that cannot be read counts for the proxy.
    fn address(&self) -> Asker {
        let client = self.auth.client(self.peer, self.headers).unwrap_or(self.peer);
        Asker::Address(match client.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(network(address)),
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// The 64 bits that one caller is given; the others are its own to choose.
const fn network(address: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;
    use hyper::header::{HeaderName, HeaderValue};

    fn auth() -> Auth {
        let env = [("SUBMIT_API_KEY", "a key"), ("PILOTLIGHT_SERVER_TRUSTED_PROXIES", "10.0.0.0/8")];
        let env = env.map(|(name, value)| (name.into(), value.into()));
        let config = load(None, env).unwrap().config;
        Auth::new(&config.auth, &config.server)
    }

    fn asker(by: RateKey, peer: &str, lines: &[(&'static str, &'static str)]) -> Option<Asker> {
        let headers = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers: HeaderMap = headers.collect();
        Counted { auth: &auth(), peer: peer.parse().unwrap(), headers: &headers }.asker(by)
    }

    fn address(text: &str) -> Option<Asker> {
        Some(Asker::Address(text.parse().unwrap()))
    }

    #[test]
    fn a_key_counts_wherever_it_is_shown_and_without_one_the_address() {
        let key = ("authorization", "Bearer a key");
        assert_eq!(asker(RateKey::Key, "192.0.2.1", &[key]), asker(RateKey::Key, "192.0.2.2", &[key]));
        assert_ne!(
            asker(RateKey::Key, "192.0.2.1", &[key]),
            asker(RateKey::Key, "192.0.2.1", &[("authorization", "Bearer b")])
        );
        assert_eq!(asker(RateKey::Key, "192.0.2.1", &[]), address("192.0.2.1"));
    }

    #[test]
    fn this_machine_is_exempt_where_it_speaks_for_itself() {
        let key = ("authorization", "Bearer a key");
        for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(asker(RateKey::Key, peer, &[key]), None, "{peer}");
            assert!(asker(RateKey::Key, peer, &[key, ("x-forwarded-for", "192.0.2.1")]).is_some(), "{peer}");
        }
        assert_eq!(asker(RateKey::Address, "127.0.0.1", &[]), address("127.0.0.1"));
    }

    #[test]
    fn an_address_is_the_clients_and_of_version_6_its_network() {
        let told = ("x-forwarded-for", "198.51.100.7");
        assert_eq!(asker(RateKey::Address, "10.0.0.1", &[told]), address("198.51.100.7"));
        assert_eq!(asker(RateKey::Address, "192.0.2.1", &[told]), address("192.0.2.1"));
        assert_eq!(asker(RateKey::Address, "10.0.0.1", &[("x-forwarded-for", "?")]), address("10.0.0.1"));
        assert_eq!(asker(RateKey::Address, "2001:db8::1:2:3:4", &[]), address("2001:db8::"));
        assert_eq!(asker(RateKey::Address, "::ffff:192.0.2.1", &[]), address("192.0.2.1"));
    }

    #[test]
    fn a_runner_is_counted_by_its_name() {
        let named = |name| asker(RateKey::Runner, "192.0.2.1", &[("x-runner-id", name)]);
        assert_ne!(named("a"), named("b"));
        assert_eq!(named("a"), asker(RateKey::Runner, "192.0.2.2", &[("x-runner-id", "a")]));
        assert_eq!(asker(RateKey::Runner, "192.0.2.1", &[]), None);
    }
}
