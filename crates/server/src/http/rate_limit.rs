//! Rate limits of the job API: determines which key, address or runner a request counts for, and asks
//! `core::rate_limit` whether it may pass. The rates come from the configuration.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;

use hyper::header::HeaderMap;
use pilotlight_core::rate_limit::{RateClass, RateKey, RateLimiter, Rates};
use pilotlight_net::clock::Clock;
use pilotlight_wire::runner::RUNNER_ID_HEADER;

use crate::http::auth::{Auth, peer_address, presented_key_hash};
use crate::http::error::RateLimitExceeded;
use crate::http::key_hash::{KeyHash, hash};

/// The recent requests of all callers.
#[derive(Debug)]
pub(crate) struct RateLimits {
    limiter: Mutex<RateLimiter<RateSubject>>,
    clock: Clock,
}

impl RateLimits {
    /// Limits requests to these rates.
    #[must_use]
    pub(crate) fn new(rates: Rates, clock: Clock) -> Self {
        Self { limiter: Mutex::new(RateLimiter::new(rates)), clock }
    }

    /// Counts a request against the rate of its class.
    ///
    /// # Errors
    /// 429 with the time of the next allowed request, when the rate is exceeded.
    pub(crate) fn check<B>(
        &self,
        auth: &Auth,
        kind: RateClass,
        request: &hyper::Request<B>,
    ) -> Result<(), RateLimitExceeded> {
        let peer = peer_address(request);
        let identity = RequestIdentity { auth, peer, headers: request.headers() };
        let now = self.clock.now();
        let mut limiter = self.limiter.lock().expect("nothing panics under this lock");
        limiter.check(kind, |rate_key| identity.subject(rate_key), now).map_err(|retry_at| {
            RateLimitExceeded {
                retry_after: retry_at.since(now),
                reset_at_ms: self.clock.epoch_ms(retry_at) + 1,
            }
        })
    }
}

/// The caller that a request counts for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum RateSubject {
    /// The hash of the caller's key.
    Key(KeyHash),
    /// The caller's IPv4 address, or the /64 network of its IPv6 address.
    Address(IpAddr),
    /// The hash of the runner's id.
    Runner(KeyHash),
}

/// The parts of a request that identify its sender.
struct RequestIdentity<'a> {
    auth: &'a Auth,
    peer: IpAddr,
    headers: &'a HeaderMap,
}

impl RequestIdentity<'_> {
    fn subject(&self, rate_key: RateKey) -> Option<RateSubject> {
        match rate_key {
            RateKey::Key if self.is_this_machine() => None,
            RateKey::Key => {
                Some(presented_key_hash(self.headers).map_or_else(|| self.address(), RateSubject::Key))
            }
            RateKey::Address => Some(self.address()),
            RateKey::Runner => {
                let runner = self.headers.get(RUNNER_ID_HEADER)?;
                Some(RateSubject::Runner(hash(runner)))
            }
        }
    }

    /// Whether the sender is a program on this machine. A proxy on this machine does not count: it forwards requests of
    /// other machines.
    fn is_this_machine(&self) -> bool {
        self.peer.to_canonical().is_loopback() && !self.auth.is_forwarded(self.peer, self.headers)
    }

    /// The client's address. When the proxy's forwarding header cannot be parsed, the request counts for the proxy.
    fn address(&self) -> RateSubject {
        let client = self.auth.client(self.peer, self.headers).unwrap_or(self.peer);
        RateSubject::Address(match client.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(network(address)),
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// The /64 network of an address. One caller usually has a whole /64 and chooses the other bits freely.
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

    fn subject(rate_key: RateKey, peer: &str, lines: &[(&'static str, &'static str)]) -> Option<RateSubject> {
        let headers = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let headers: HeaderMap = headers.collect();
        RequestIdentity { auth: &auth(), peer: peer.parse().unwrap(), headers: &headers }.subject(rate_key)
    }

    fn address(text: &str) -> Option<RateSubject> {
        Some(RateSubject::Address(text.parse().unwrap()))
    }

    #[test]
    fn a_key_counts_from_any_address_and_without_a_key_the_address_counts() {
        let key = ("authorization", "Bearer a key");
        assert_eq!(subject(RateKey::Key, "192.0.2.1", &[key]), subject(RateKey::Key, "192.0.2.2", &[key]));
        assert_ne!(
            subject(RateKey::Key, "192.0.2.1", &[key]),
            subject(RateKey::Key, "192.0.2.1", &[("authorization", "Bearer b")])
        );
        assert_eq!(subject(RateKey::Key, "192.0.2.1", &[]), address("192.0.2.1"));
    }

    #[test]
    fn direct_local_callers_are_exempt() {
        let key = ("authorization", "Bearer a key");
        for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(subject(RateKey::Key, peer, &[key]), None, "{peer}");
            assert!(
                subject(RateKey::Key, peer, &[key, ("x-forwarded-for", "192.0.2.1")]).is_some(),
                "{peer}"
            );
        }
        assert_eq!(subject(RateKey::Address, "127.0.0.1", &[]), address("127.0.0.1"));
    }

    #[test]
    fn an_address_is_the_clients_and_for_ipv6_its_network() {
        let forwarded_for = ("x-forwarded-for", "198.51.100.7");
        assert_eq!(subject(RateKey::Address, "10.0.0.1", &[forwarded_for]), address("198.51.100.7"));
        assert_eq!(subject(RateKey::Address, "192.0.2.1", &[forwarded_for]), address("192.0.2.1"));
        assert_eq!(subject(RateKey::Address, "10.0.0.1", &[("x-forwarded-for", "?")]), address("10.0.0.1"));
        assert_eq!(subject(RateKey::Address, "2001:db8::1:2:3:4", &[]), address("2001:db8::"));
        assert_eq!(subject(RateKey::Address, "::ffff:192.0.2.1", &[]), address("192.0.2.1"));
    }

    #[test]
    fn a_runner_is_counted_by_its_name() {
        let named = |name| subject(RateKey::Runner, "192.0.2.1", &[("x-runner-id", name)]);
        assert_ne!(named("a"), named("b"));
        assert_eq!(named("a"), subject(RateKey::Runner, "192.0.2.2", &[("x-runner-id", "a")]));
        assert_eq!(subject(RateKey::Runner, "192.0.2.1", &[]), None);
    }
}
