//! Decides whether the queue has space for another job, mostly without a query: it adds the jobs that this instance has
//! accepted since to the last known usage of the queue. It never rejects a job by cached usage: before a rejection the
//! database is queried. A query does not see jobs that are just being inserted, so a limit may be exceeded by a few
//! jobs for each connection, and by the jobs that other instances accept within [`CACHE_TTL`].

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pilotlight_core::job::{QueueFull, QueueLimits, QueueUsage};

/// How long cached usage is valid; then the database is queried again. Runners shrink the queue meanwhile, which the
/// cache learns by the query before a rejection.
const CACHE_TTL: Duration = Duration::from_millis(100);

/// The last known usage of the queue, and its limits.
#[derive(Debug)]
pub(super) struct UsageCache {
    queue_limits: QueueLimits,
    cached: Mutex<CachedUsage>,
}

#[derive(Debug, Default)]
struct CachedUsage {
    /// Number and bytes of all jobs that this instance has ever accepted.
    reserved: QueueUsage,
    /// The last query, and its result.
    last: Option<(UsageQuery, QueueUsage)>,
}

/// A query of the queue's usage: when it was sent, and what this instance had accepted until then.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsageQuery {
    at: Instant,
    reserved: QueueUsage,
}

impl UsageCache {
    /// An empty cache.
    pub(super) fn new(queue_limits: QueueLimits) -> Self {
        Self { queue_limits, cached: Mutex::default() }
    }

    /// Reserves space for a job of this size if cached usage shows that there is enough.
    ///
    /// # Errors
    /// The caller must query the database, and pass the result to [`Self::update`].
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

    /// Caches the result of a query, and reserves space for a job of this size if there is enough.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(super) fn update(&self, query: UsageQuery, waiting: QueueUsage, bytes: u64) -> Result<(), QueueFull> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        // A slow query must not replace the result of a later one.
        if cached.last.is_none_or(|(last, _)| last.at <= query.at) {
            cached.last = Some((query, waiting));
        }
        self.queue_limits.check(waiting)?;
        cached.reserve(bytes);
        Ok(())
    }
}

impl CachedUsage {
    /// An upper bound of the usage, as far as this instance knows: a job may be in both the query's result and the
    /// reservations. `None` when the cached result is too old.
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
        let query = cache.try_reserve(1, now).expect_err("the cache is empty");
        assert_eq!(cache.update(query, waiting(0), 1), Ok(()));
        assert!(cache.try_reserve(1, now).is_ok(), "the second");
        let query = cache.try_reserve(1, now).expect_err("a query is needed before a rejection");
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
        assert!(cache.try_reserve(1, now).is_err(), "two jobs were reserved since the slow query was sent");
    }

    #[test]
    fn an_unbounded_queue_needs_no_query() {
        assert!(UsageCache::new(QueueLimits::default()).try_reserve(u64::MAX, Instant::now()).is_ok());
    }
}
