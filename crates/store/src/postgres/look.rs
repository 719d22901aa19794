//! One job, for who asks.

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::job::JobId;

use super::failure::Failure;
use super::jobs::text;
use super::link::Link;
use super::payloads::{self, ended};
use super::statements;
use super::verb::{Done, Verb};
use crate::records::Found;

/// See [`crate::Store::lookup`].
pub(super) struct Lookup {
    pub(super) key: CacheKey,
}

impl Verb for Lookup {
    type Answer = Option<Found>;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Option<Found>>, Failure> {
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
    type Answer = Option<Found>;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Option<Found>>, Failure> {
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
    type Answer = Option<String>;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Option<String>>, Failure> {
        let rows = link.ask(statements::INPUT, &[&self.id.as_bytes().as_slice()]).await?;
        link.done();
        let input = rows.first().map(|row| text(row, 0)).transpose();
        input.map(Done::nothing_new).map_err(Failure::for_good)
    }
}
