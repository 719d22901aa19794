//! Decides which requests are refused because they come too often. Each key may send a burst of requests, and regains
//! single requests evenly over the minute. The algorithm is GCRA: the only number per key is the moment at which its
//! whole burst is available again.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::limits::MAX_RATE_LIMIT_ENTRIES;
use crate::time::Moment;

/// The kind of a request; each kind has its own counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateClass {
    /// Asking whether a submission is known.
    Check,
    /// Submitting a job.
    Submit,
    /// Reading a job's status.
    Status,
    /// Watching a job.
    Watch,
    /// Cancelling a job.
    Cancel,
    /// Registering a runner.
    Register,
    /// Asking whether a runner is registered.
    Verify,
    /// Listing the available jobs.
    Available,
    /// Claiming a job.
    Claim,
    /// Starting a job that was dispatched.
    Start,
    /// Sending a heartbeat.
    Heartbeat,
    /// Reporting a result or a failure.
    Finish,
    /// Reading as an admin.
    AdminRead,
    /// Deleting as an admin.
    AdminWrite,
}

/// What requests are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateKey {
    /// By the API key.
    Key,
    /// By the client's address.
    Address,
    /// By the runner.
    Runner,
}

/// Maximum requests per minute; 0 means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Requests of one kind with one key.
    pub requests: u32,
    /// Submissions from one address.
    pub submit: u32,
    /// Checks from one address.
    pub check: u32,
    /// Status requests from one address.
    pub status: u32,
    /// Requests for available jobs by one runner.
    pub available: u32,
    /// Heartbeats by one runner.
    pub heartbeat: u32,
}

impl Rates {
    /// The limits for a kind of request.
    fn limits(&self, class: RateClass) -> impl Iterator<Item = (RateKey, Rate)> {
        let own = match class {
            RateClass::Check => (RateKey::Address, self.check),
            RateClass::Submit => (RateKey::Address, self.submit),
            RateClass::Status => (RateKey::Address, self.status),
            RateClass::Available => (RateKey::Runner, self.available),
            RateClass::Heartbeat => (RateKey::Runner, self.heartbeat),
            RateClass::Watch
            | RateClass::Cancel
            | RateClass::Register
            | RateClass::Verify
            | RateClass::Claim
            | RateClass::Start
            | RateClass::Finish
            | RateClass::AdminRead
            | RateClass::AdminWrite => (RateKey::Address, 0),
        };
        [(RateKey::Key, self.requests), own]
            .into_iter()
            .filter_map(|(by, per_minute)| Some((by, Rate::per_minute(per_minute)?)))
    }
}

/// A limit of a number of requests per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    /// Time in which one request is regained.
    interval: Duration,
    /// Time in which all requests of the burst except one are regained.
    burst: Duration,
}

impl Rate {
    /// `None` when there is no limit.
    fn per_minute(times: u32) -> Option<Self> {
        let interval = Duration::from_mins(1).checked_div(times)?;
        Some(Self { interval, burst: interval * (times - 1) })
    }

    /// Uses one request now. Returns when the whole burst is available again.
    ///
    /// # Errors
    /// When the next request is allowed.
    fn spend(self, full_at: Moment, now: Moment) -> Result<Moment, Moment> {
        let from = full_at.max(now);
        if from.since(now) > self.burst {
            return Err(now.after(from.since(now) - self.burst));
        }
        Ok(from.after(self.interval))
    }
}

/// The recent requests of all keys. At most [`MAX_RATE_LIMIT_ENTRIES`] are stored; beyond it those without requests for
/// the longest time are removed.
#[derive(Debug)]
pub struct RateLimiter<S> {
    rates: Rates,
    /// When each key has its whole burst again.
    current: HashMap<(RateClass, RateKey, S), Moment>,
    /// The older entries. An entry that is used again moves to `current`.
    previous: HashMap<(RateClass, RateKey, S), Moment>,
}

impl<S: Hash + Eq + Clone> RateLimiter<S> {
    /// Creates a limiter without recorded requests.
    #[must_use]
    pub fn new(rates: Rates) -> Self {
        Self { rates, current: HashMap::new(), previous: HashMap::new() }
    }

    /// Counts a request. `key_of` returns the key to count by; where it returns `None`, the limit does not apply.
    ///
    /// # Errors
    /// The request is refused and not counted. The value is the moment from which it is allowed.
    pub fn check(
        &mut self,
        class: RateClass,
        key_of: impl Fn(RateKey) -> Option<S>,
        now: Moment,
    ) -> Result<(), Moment> {
        let counted =
            self.rates.limits(class).filter_map(|(by, rate)| Some(((class, by, key_of(by)?), rate)));
        let taken: Vec<_> = counted.map(|(key, rate)| (rate.spend(self.full_at(&key), now), key)).collect();
        if let Some(retry_at) = taken.iter().filter_map(|(taken, _)| taken.err()).max() {
            return Err(retry_at);
        }
        for (taken, key) in taken {
            self.remember(key, taken.unwrap_or(now));
        }
        Ok(())
    }

    fn full_at(&self, key: &(RateClass, RateKey, S)) -> Moment {
        self.current.get(key).or_else(|| self.previous.get(key)).copied().unwrap_or_default()
    }

    fn remember(&mut self, key: (RateClass, RateKey, S), full_at: Moment) {
        if self.current.len() >= MAX_RATE_LIMIT_ENTRIES / 2 {
            self.previous = std::mem::take(&mut self.current);
        }
        self.current.insert(key, full_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Rates = Rates { requests: 0, submit: 0, check: 0, status: 0, available: 0, heartbeat: 0 };

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(1000 * seconds)
    }

    /// Sends requests until one is refused; returns how many were allowed.
    fn allowed(limiter: &mut RateLimiter<u32>, class: RateClass, key: u32, now: Moment) -> usize {
        (0..1000).take_while(|_| limiter.check(class, |_| Some(key), now).is_ok()).count()
    }

    #[test]
    fn a_burst_of_one_minute_is_allowed_and_then_the_steady_rate() {
        let mut limiter = RateLimiter::new(Rates { submit: 10, ..NONE });
        for (second, may) in [(0, 10), (0, 0), (5, 0), (6, 1), (7, 0), (12, 1), (72, 10), (1000, 10)] {
            assert_eq!(allowed(&mut limiter, RateClass::Submit, 1, at(second)), may, "at {second} s");
        }
    }

    #[test]
    fn a_refusal_says_when_to_retry() {
        let mut limiter = RateLimiter::new(Rates { submit: 10, ..NONE });
        assert_eq!(allowed(&mut limiter, RateClass::Submit, 1, at(100)), 10);
        let retry_at = limiter.check(RateClass::Submit, |_| Some(1), at(101)).unwrap_err();
        assert_eq!(retry_at, at(106));
        assert!(
            limiter
                .check(RateClass::Submit, |_| Some(1), Moment::from_micros(retry_at.as_micros() - 1))
                .is_err()
        );
        assert!(limiter.check(RateClass::Submit, |_| Some(1), retry_at).is_ok());
    }

    #[test]
    fn classes_and_keys_are_counted_separately() {
        let mut limiter = RateLimiter::new(Rates { requests: 3, ..NONE });
        for class in [RateClass::Submit, RateClass::Heartbeat, RateClass::AdminWrite] {
            assert_eq!(allowed(&mut limiter, class, 1, at(0)), 3);
            assert_eq!(allowed(&mut limiter, class, 2, at(0)), 3);
        }
    }

    #[test]
    fn a_refused_request_is_counted_by_no_limit() {
        let mut limiter = RateLimiter::new(Rates { requests: 5, submit: 2, ..NONE });
        let mut check = |address: u32| {
            limiter.check(
                RateClass::Submit,
                |by| Some(if by == RateKey::Address { address } else { 99 }),
                at(0),
            )
        };
        assert_eq!((check(1), check(1)), (Ok(()), Ok(())));
        // The address has used its own limit; the refused requests do not count for the key, which others use too.
        assert!((0..10).all(|_| check(1) == Err(at(30))));
        assert_eq!((check(2), check(2), check(3)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(check(3), Err(at(12)));
    }

    #[test]
    fn available_and_heartbeat_are_limited_per_runner() {
        let mut limiter = RateLimiter::new(Rates { available: 2, heartbeat: 3, ..NONE });
        assert_eq!(allowed(&mut limiter, RateClass::Available, 1, at(0)), 2);
        assert_eq!(allowed(&mut limiter, RateClass::Heartbeat, 1, at(0)), 3);
        assert_eq!(allowed(&mut limiter, RateClass::Claim, 1, at(0)), 1000);
    }

    #[test]
    fn nothing_is_limited_without_a_rate_or_without_a_key() {
        let mut limiter = RateLimiter::new(Rates { requests: 1, ..NONE });
        assert!((0..10).all(|_| limiter.check(RateClass::Submit, |_| None::<u32>, at(0)).is_ok()));
        assert_eq!(allowed(&mut RateLimiter::new(NONE), RateClass::Submit, 1, at(0)), 1000);
        assert_eq!(allowed(&mut limiter, RateClass::Submit, 1, at(0)), 1);
    }

    #[test]
    fn the_smallest_and_the_largest_rate_work() {
        let mut limiter = RateLimiter::new(Rates { submit: 1, status: u32::MAX, ..NONE });
        assert_eq!(allowed(&mut limiter, RateClass::Submit, 1, at(0)), 1);
        assert_eq!(allowed(&mut limiter, RateClass::Submit, 1, at(59)), 0);
        assert_eq!(allowed(&mut limiter, RateClass::Submit, 1, at(60)), 1);
        assert_eq!(allowed(&mut limiter, RateClass::Status, 1, at(0)), 1000);
    }

    #[test]
    fn entries_are_bounded_and_recent_keys_stay() {
        let mut limiter = RateLimiter::new(Rates { submit: 1, ..NONE });
        for key in 0..2 * u32::try_from(MAX_RATE_LIMIT_ENTRIES).unwrap() {
            assert_eq!(limiter.check(RateClass::Submit, |_| Some(key + 1), at(0)), Ok(()));
            assert!(limiter.current.len() + limiter.previous.len() <= MAX_RATE_LIMIT_ENTRIES, "{key}");
        }
        assert_eq!(
            allowed(
                &mut limiter,
                RateClass::Submit,
                2 * u32::try_from(MAX_RATE_LIMIT_ENTRIES).unwrap(),
                at(0)
            ),
            0
        );
    }
}
