//! A verb as a value, so that it can be tried again: what fails before its commit has not happened.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::connection::{Pool, StoreConnection};
use super::failure::{Failure, Retry};
use super::notifications::Notifications;
use crate::error::Error;

/// Tries of one verb.
const MAX_ATTEMPTS: u32 = 5;
/// After the first try; each further one doubles it.
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(10);
/// All attempts together. What is not answered by then is given up, and its connection closed.
const TIMEOUT: Duration = Duration::from_secs(15);

/// One of the store's verbs with what it was given.
pub(super) trait StoreOperation: Sync {
    /// What the caller gets.
    type Output: Send;

    /// Whether it writes: then nobody knows what became of it when it fails.
    const WRITES: bool = true;

    /// Does it once, on a connection of its own.
    fn run(
        &self,
        connection: StoreConnection,
    ) -> impl Future<Output = Result<Committed<Self::Output>, Failure>> + Send;
}

/// A verb that has happened.
pub(super) struct Committed<T> {
    pub(super) value: T,
    /// What other instances are to be told of it.
    pub(super) notifications: Notifications,
}

impl<T> Committed<T> {
    /// It changed nothing that others want to know.
    pub(super) fn without_notifications(value: T) -> Self {
        Self { value, notifications: Notifications::default() }
    }
}

/// Tries a verb until it has happened, or cannot.
pub(super) async fn run<V: StoreOperation>(pool: &Pool, operation: V) -> Result<Committed<V::Output>, Error> {
    run_within(pool, operation, TIMEOUT).await
}

/// The same for what takes longer.
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
