//! A verb as a value, so that it can be tried again: what fails before its commit has not happened.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::failure::{Again, Failure};
use super::link::{Link, Pool};
use super::tidings::Tidings;
use crate::error::Error;

/// Tries of one verb.
const TRIES: u32 = 5;
/// After the first try; each further one doubles it.
const PAUSE: Duration = Duration::from_millis(10);
/// All tries together. What is not answered by then is given up, and its connection closed.
const WITHIN: Duration = Duration::from_secs(15);

/// One of the store's verbs with what it was given.
pub(super) trait Verb: Sync {
    /// What the caller gets.
    type Output: Send;

    /// Whether it writes: then nobody knows what became of it when it fails.
    const WRITES: bool = true;

    /// Does it once, on a connection of its own.
    fn run(&self, link: Link) -> impl Future<Output = Result<Done<Self::Output>, Failure>> + Send;
}

/// A verb that has happened.
pub(super) struct Done<T> {
    pub(super) answer: T,
    /// What other instances are to be told of it.
    pub(super) tidings: Tidings,
}

impl<T> Done<T> {
    /// It changed nothing that others want to know.
    pub(super) fn nothing_new(answer: T) -> Self {
        Self { answer, tidings: Tidings::default() }
    }
}

/// Tries a verb until it has happened, or cannot.
pub(super) async fn perform<V: Verb>(pool: &Pool, verb: V) -> Result<Done<V::Output>, Error> {
    perform_within(pool, verb, WITHIN).await
}

/// The same for what takes longer.
pub(super) async fn perform_within<V: Verb>(
    pool: &Pool,
    verb: V,
    within: Duration,
) -> Result<Done<V::Output>, Error> {
    match timeout(within, tries(pool, &verb)).await {
        Ok(done) => done.map_err(|failure| failure.error),
        Err(_) => Err(Failure::not_in_time(pool.place()).error),
    }
}

async fn tries<V: Verb>(pool: &Pool, verb: &V) -> Result<Done<V::Output>, Failure> {
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match once(pool, verb).await {
            Err(Failure { again: Again::Worthwhile, .. }) => sleep(pause).await,
            done => return done,
        }
        pause *= 2;
    }
    once(pool, verb).await
}

async fn once<V: Verb>(pool: &Pool, verb: &V) -> Result<Done<V::Output>, Failure> {
    verb.run(pool.lend().await?).await
}
