//! One job, for who asks; and the time.

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::job::JobId;
use pilotlight_core::time::Timestamp;

use super::failure::Failure;
use super::jobs::{column, text};
use super::link::Link;
use super::payloads::{self, ended};
use super::statements;
use super::verb::{Done, Verb};
use crate::records::JobRecord;
use crate::row::{damaged, epoch};

/// See [`crate::Store::clock`].
pub(super) struct LookAtClock;

impl Verb for LookAtClock {
    type Output = Timestamp;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Timestamp>, Failure> {
        let rows = link.ask(statements::CLOCK, &[]).await?;
        link.done();
        let row = rows.first().ok_or_else(|| Failure::for_good(damaged("clock")))?;
        let now = column(row, 0).and_then(|now: i64| epoch(now, "clock"));
        now.map(Done::nothing_new).map_err(Failure::for_good)
    }
}

/// See [`crate::Store::lookup`].
pub(super) struct Lookup {
    pub(super) key: CacheKey,
}

impl Verb for Lookup {
    type Output = Option<JobRecord>;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Option<JobRecord>>, Failure> {
        let rows = link.ask(statements::FIND_CURRENT, &[&self.key.as_bytes().as_slice()]).await?;
        link.done();
        Ok(Done::nothing_new(payloads::found(&rows)?.map(ended)))
    }
}

/// See [`crate::Store::job`].
pub(super) struct FindJob {
    pub(super) id: JobId,
}

impl Verb for FindJob {
    type Output = Option<JobRecord>;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Option<JobRecord>>, Failure> {
        let rows = link.ask(statements::FIND, &[&self.id.as_bytes().as_slice()]).await?;
        link.done();
        Ok(Done::nothing_new(payloads::found(&rows)?))
    }
}

/// See [`crate::Store::input`].
pub(super) struct Input {
    pub(super) id: JobId,
}

impl Verb for Input {
    type Output = Option<String>;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Option<String>>, Failure> {
        let rows = link.ask(statements::INPUT, &[&self.id.as_bytes().as_slice()]).await?;
        link.done();
        let input = rows.first().map(|row| text(row, 0)).transpose();
        input.map(Done::nothing_new).map_err(Failure::for_good)
    }
}
