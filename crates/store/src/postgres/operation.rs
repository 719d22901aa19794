//! Store operations as values, so that they can be retried: an operation that fails before its commit has changed
//! nothing.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::connection::{Pool, StoreConnection};
use super::failure::{Failure, Retry};
use super::notifications::Notifications;
use crate::error::Error;

/// Maximum number of attempts of one operation.
const MAX_ATTEMPTS: u32 = 5;
/// Pause after the first failed attempt; it doubles after each further one.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(10);
/// Time limit of all attempts together. After it the operation is cancelled and its connection closed.
const TIMEOUT: Duration = Duration::from_secs(15);

/// One operation of the store with its arguments.
pub(super) trait StoreOperation: Sync {
    /// The result for the caller.
    type Output: Send;

    /// Whether it writes. After a failed write, other instances get a resync, because the write may be committed.
    const WRITES: bool = true;

    /// Runs one attempt, on a connection of its own.
    fn run(
        &self,
        connection: StoreConnection,
    ) -> impl Future<Output = Result<Committed<Self::Output>, Failure>> + Send;
}

/// The result of a committed operation.
pub(super) struct Committed<T> {
    pub(super) value: T,
    /// The notifications for other instances.
    pub(super) notifications: Notifications,
}

impl<T> Committed<T> {
    /// The result of an operation that other instances need not know about.
    pub(super) fn without_notifications(value: T) -> Self {
        Self { value, notifications: Notifications::default() }
    }
}

/// Runs an operation, with retries, within the usual time limit.
pub(super) async fn run<V: StoreOperation>(pool: &Pool, operation: V) -> Result<Committed<V::Output>, Error> {
    run_within(pool, operation, TIMEOUT).await
}

/// Runs an operation, with retries, within this time limit.
pub(super) async fn run_within<V: StoreOperation>(
    pool: &Pool,
    operation: V,
    within: Duration,
) -> Result<Committed<V::Output>, Error> {
    match timeout(within, run_with_retries(pool, &operation)).await {
        Ok(done) => done.map_err(|failure| failure.error),
        Err(_) => Err(Failure::timed_out(pool.server()).error),
    }
}

async fn run_with_retries<V: StoreOperation>(
    pool: &Pool,
    operation: &V,
) -> Result<Committed<V::Output>, Failure> {
    let mut pause = FIRST_RETRY_DELAY;
    for _ in 1..MAX_ATTEMPTS {
        match attempt(pool, operation).await {
            Err(Failure { retry: Retry::Worthwhile, .. }) => sleep(pause).await,
            done => return done,
        }
        pause *= 2;
    }
    attempt(pool, operation).await
}

async fn attempt<V: StoreOperation>(pool: &Pool, operation: &V) -> Result<Committed<V::Output>, Failure> {
    operation.run(pool.acquire().await?).await
}
