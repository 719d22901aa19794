//! Limits the total size of the large request bodies in memory. The limit on a single body is not enough, because many
//! can arrive at once. Small bodies are limited by the number of connections.

use axum::body::Body;
use hyper::body::Body as _;
use pilotlight_core::limits::{OFFERS_BYTES, SMALL_BODY_BYTES};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::http::error::ApiError;
use crate::http::headers::saturating_usize;

/// The free part of the limit, in units of 1 KiB.
#[derive(Debug)]
pub(crate) struct BodyBudget(Semaphore);

const UNIT_BYTES: usize = 1024;

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Semaphore::new(OFFERS_BYTES / UNIT_BYTES))
    }
}

impl BodyBudget {
    /// Reserves the size of this body, of at most `at_most` bytes, until the returned permit is dropped. A chunked body
    /// has no known size, so the maximum size is reserved for it.
    ///
    /// # Errors
    /// As [`BodyBudget::take`].
    pub(crate) fn take_for(
        &self,
        body: &Body,
        at_most: usize,
    ) -> Result<Option<SemaphorePermit<'_>>, ApiError> {
        self.take(body.size_hint().exact().map_or(at_most, |bytes| saturating_usize(bytes).min(at_most)))
    }

    /// Reserves `bytes` for a body until the returned permit is dropped. A small body needs no permit.
    ///
    /// # Errors
    /// 503 when too little is free now.
    pub(crate) fn take(&self, bytes: usize) -> Result<Option<SemaphorePermit<'_>>, ApiError> {
        if bytes <= SMALL_BODY_BYTES {
            return Ok(None);
        }
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let exhausted = |_| {
            ApiError::unavailable(
                "too many large bodies are being received; send this one later, or cold-start its run",
            )
        };
        self.0.try_acquire_many(units).map(Some).map_err(exhausted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_share_the_budget_and_small_ones_need_none() {
        let budget = BodyBudget::default();
        let large = 10 * 1024 * 1024;
        let taken: Vec<_> = std::iter::from_fn(|| budget.take(large).ok()).collect();
        assert_eq!(taken.len(), OFFERS_BYTES / large);
        assert!(budget.take(SMALL_BODY_BYTES).is_ok_and(|permit| permit.is_none()));
        drop(taken);
        assert!(budget.take(large).is_ok());
    }
}
