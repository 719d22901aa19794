//! Whether another job may wait, mostly without asking: what waited a moment ago is remembered, and what this instance
//! took since comes to it. Nothing is refused by that memory: before a refusal the database is asked. What is on its way
//! to the database at that moment is not seen, so a bound may be exceeded by a few for each connection, and by what other
//! instances took within the moment.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pilotlight_core::job::{QueueFull, QueueLimits, QueueUsage};

/// After it the database is asked again. Runners make room meanwhile, which is found out when it is needed.
const CACHE_TTL: Duration = Duration::from_millis(100);

/// What is known of what waits.
#[derive(Debug)]
pub(super) struct UsageCache {
    queue_limits: QueueLimits,
    cached: Mutex<CachedUsage>,
}

#[derive(Debug, Default)]
struct CachedUsage {
    /// All that this instance ever took.
    reserved: QueueUsage,
    /// The last answer.
    last: Option<(UsageQuery, QueueUsage)>,
}

/// A question about what waits: when it was asked, and what this instance had taken until then.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsageQuery {
    at: Instant,
    reserved: QueueUsage,
}

impl UsageCache {
    /// Nothing yet.
    pub(super) fn new(queue_limits: QueueLimits) -> Self {
        Self { queue_limits, cached: Mutex::default() }
    }

    /// Takes a job of this size if it surely may wait; otherwise the database is to be asked.
    pub(super) fn try_reserve(&self, bytes: u64, now: Instant) -> Result<(), UsageQuery> {
        if !self.queue_limits.is_bounded() {
            return Ok(());
        }
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        match cached.waiting(now).map(|waiting| self.queue_limits.check(waiting)) {
            Some(Ok(())) => {
                cached.reserve(bytes);
                Ok(())
            }
            Some(Err(_)) | None => Err(UsageQuery { at: now, reserved: cached.reserved }),
        }
    }

    /// The database said that so much waits. Takes the job of this size if it may.
    pub(super) fn update(&self, query: UsageQuery, waiting: QueueUsage, bytes: u64) -> Result<(), QueueFull> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        // An answer that was long on its way does not displace a younger one.
        if cached.last.is_none_or(|(last, _)| last.at <= query.at) {
            cached.last = Some((query, waiting));
        }
        self.queue_limits.check(waiting)?;
        cached.reserve(bytes);
        Ok(())
    }
}

impl CachedUsage {
    /// What waits at most, as far as this instance knows: what it took and what was counted may be the same.
    fn waiting(&self, now: Instant) -> Option<QueueUsage> {
        let (query, waiting) = self.last.filter(|(query, _)| now.duration_since(query.at) < CACHE_TTL)?;
        Some(QueueUsage {
            jobs: waiting.jobs + (self.reserved.jobs - query.reserved.jobs),
            bytes: waiting.bytes + (self.reserved.bytes - query.reserved.bytes),
        })
    }

    fn reserve(&mut self, bytes: u64) {
        self.reserved = QueueUsage { jobs: self.reserved.jobs + 1, bytes: self.reserved.bytes + bytes };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_JOBS: QueueLimits = QueueLimits { jobs: 2, bytes: 0 };

    fn waiting(jobs: u64) -> QueueUsage {
        QueueUsage { jobs, bytes: jobs }
    }

    #[test]
    fn cached_usage_admits_and_never_rejects() {
        let (cache, now) = (UsageCache::new(TWO_JOBS), Instant::now());
        let query = cache.try_reserve(1, now).expect_err("nothing is known");
        assert_eq!(cache.update(query, waiting(0), 1), Ok(()));
        assert!(cache.try_reserve(1, now).is_ok(), "the second");
        let query = cache.try_reserve(1, now).expect_err("it has to ask");
        assert_eq!(cache.update(query, waiting(2), 1), Err(QueueFull::Jobs(2)));
        assert_eq!(cache.update(query, waiting(1), 1), Ok(()));
    }

    #[test]
    fn cached_usage_expires() {
        let (cache, now) = (UsageCache::new(TWO_JOBS), Instant::now());
        let query = cache.try_reserve(1, now).unwrap_err();
        assert_eq!(cache.update(query, waiting(0), 1), Ok(()));
        assert!(cache.try_reserve(1, now + CACHE_TTL).is_err());
    }

    #[test]
    fn reservations_made_during_a_query_are_counted() {
        let (cache, now) = (UsageCache::new(TWO_JOBS), Instant::now());
        let (slow, quick) = (cache.try_reserve(1, now).unwrap_err(), cache.try_reserve(1, now).unwrap_err());
        assert_eq!(cache.update(quick, waiting(0), 1), Ok(()));
        assert_eq!(cache.update(slow, waiting(0), 1), Ok(()));
        assert!(cache.try_reserve(1, now).is_err(), "two were taken since it asked");
    }

    #[test]
    fn an_unbounded_queue_needs_no_query() {
        assert!(UsageCache::new(QueueLimits::default()).try_reserve(u64::MAX, Instant::now()).is_ok());
    }
}
