//! Decides whether a completed job's result is still valid, by the validation method of its job type.

use core::net::IpAddr;
use std::time::Duration;

use crate::time::Timestamp;

/// The outcome of validating a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Validity {
    /// The result is valid.
    Valid,
    /// The result is not valid; the next submission executes the job again.
    Invalid,
    /// The outcome is unknown, so the previous validity stays.
    Unknown,
}

/// Validates a result that contains its own expiry time.
#[must_use]
pub fn by_expiry(until: Option<Timestamp>, now: Timestamp) -> Validity {
    match until {
        Some(until) if now < until => Validity::Valid,
        Some(_) | None => Validity::Invalid,
    }
}

/// The verdict of both methods together. A result past its own expiry time is invalid whatever its URL responds; before
/// that, the URL decides where there is one, so that it need not be requested for an expired result.
#[must_use]
pub const fn by_expiry_first(by_expiry: Option<Validity>) -> FirstVerdict {
    match by_expiry {
        Some(Validity::Invalid) => FirstVerdict::Final(Validity::Invalid),
        Some(validity) => FirstVerdict::UnlessUrl(validity),
        None => FirstVerdict::UnlessUrl(Validity::Unknown),
    }
}

/// What is known of a result before its URL is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstVerdict {
    /// The URL need not be requested.
    Final(Validity),
    /// The URL decides; this is the verdict for a type without a URL.
    UnlessUrl(Validity),
}

/// When the result must be validated next: after `every`, or when the result's own expiry time comes, if that is
/// earlier.
#[must_use]
pub fn next_check_at(now: Timestamp, every: Duration, until: Option<Timestamp>) -> Timestamp {
    let expires_at = now.after(every);
    until.filter(|until| now < *until).map_or(expires_at, |until| until.min(expires_at))
}

/// Validates a result whose URL must still respond, by the response's status; `None` when there was no response.
/// Conditions that may be temporary (an overload, a server error, no response) leave the validity unknown.
#[must_use]
pub const fn by_http_status(status: Option<u16>) -> Validity {
    match status {
        Some(200..=399) => Validity::Valid,
        Some(408 | 425 | 429 | 500..) | None => Validity::Unknown,
        Some(_) => Validity::Invalid,
    }
}

/// Whether an address is on the public internet. A result comes from a runner, so its URL must not make the service
/// send requests to addresses that only the service can reach.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_special = (a, b, c) == (192, 0, 0) || (a, b) == (198, 18) || (a, b) == (198, 19);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_documentation()
                || is_shared
                || is_special
                || a == 0
                || a >= 224)
        }
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            // Global unicast, without documentation addresses, and without Teredo and 6to4, which embed other
            // addresses.
            first & 0xe000 == 0x2000
                && (first, second) != (0x2001, 0x0db8)
                && (first, second) != (0x2001, 0)
                && first != 0x2002
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_result_that_has_not_expired_needs_its_url() {
        for (expiry, verdict) in [
            (Some(Validity::Invalid), FirstVerdict::Final(Validity::Invalid)),
            (Some(Validity::Valid), FirstVerdict::UnlessUrl(Validity::Valid)),
            (None, FirstVerdict::UnlessUrl(Validity::Unknown)),
        ] {
            assert_eq!(by_expiry_first(expiry), verdict);
        }
    }

    #[test]
    fn a_result_is_valid_until_its_expiry_time() {
        let now = Timestamp::from_millis(1000);
        for (until, validity) in [
            (Some(1001), Validity::Valid),
            (Some(1000), Validity::Invalid),
            (Some(0), Validity::Invalid),
            (None, Validity::Invalid),
        ] {
            assert_eq!(by_expiry(until.map(Timestamp::from_millis), now), validity, "{until:?}");
        }
    }

    #[test]
    fn the_next_check_is_at_expiry_or_after_the_interval() {
        let (now, every) = (Timestamp::from_millis(1000), Duration::from_millis(500));
        for (until, again) in [(None, 1500), (Some(1499), 1499), (Some(1501), 1500), (Some(1000), 1500)] {
            let got = next_check_at(now, every, until.map(Timestamp::from_millis));
            assert_eq!(got, Timestamp::from_millis(again), "{until:?}");
        }
    }

    #[test]
    fn transient_statuses_are_unknown() {
        for (status, validity) in [
            (Some(200), Validity::Valid),
            (Some(206), Validity::Valid),
            (Some(302), Validity::Valid),
            (Some(403), Validity::Invalid),
            (Some(404), Validity::Invalid),
            (Some(410), Validity::Invalid),
            (Some(429), Validity::Unknown),
            (Some(500), Validity::Unknown),
            (Some(503), Validity::Unknown),
            (None, Validity::Unknown),
        ] {
            assert_eq!(by_http_status(status), validity, "{status:?}");
        }
    }

    #[test]
    fn private_addresses_are_not_public() {
        for public in ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }
}
