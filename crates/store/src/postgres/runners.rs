//! Runners that registered.

use pilotlight_core::ids::RunnerId;
use pilotlight_core::time::Timestamp;
use tokio_postgres::Row as Columns;

use super::failure::Failure;
use super::jobs::{column, text};
use super::link::Link;
use super::lists::count;
use super::statements;
use super::tx::{Write, given};
use super::verb::{Done, Verb};
use crate::error::Error;
use crate::records::Runner;
use crate::row::{damaged, epoch, time};

/// See [`crate::Store::register_runner`].
pub(super) struct Register<'a> {
    pub(super) runner: &'a Runner,
}

impl Verb for Register<'_> {
    type Output = ();

    async fn run(&self, link: Link) -> Result<Done<()>, Failure> {
        let Runner { id, name, capabilities, registered_at, seen_at } = self.runner;
        let capabilities = serde_json::to_vec(capabilities);
        let capabilities =
            capabilities.map_err(|error| Failure::for_good(Error::Database(Box::new(error))))?;
        let given = given![
            id.as_str().as_bytes().to_vec(),
            name.as_bytes().to_vec(),
            capabilities,
            time(*registered_at),
            time(*seen_at),
        ];
        link.write(&Write { statement: statements::REGISTER, given }).await?;
        Ok(Done::nothing_new(()))
    }
}

/// See [`crate::Store::touch_runner`].
pub(super) struct Seen<'a> {
    pub(super) runner: &'a RunnerId,
    pub(super) now: Timestamp,
}

impl Verb for Seen<'_> {
    type Output = bool;

    async fn run(&self, link: Link) -> Result<Done<bool>, Failure> {
        let given = given![self.runner.as_str().as_bytes().to_vec(), time(self.now)];
        let known = link.write(&Write { statement: statements::SEEN, given }).await?;
        Ok(Done::nothing_new(known > 0))
    }
}

/// See [`crate::Store::runner`].
pub(super) struct FindRunner<'a> {
    pub(super) runner: &'a RunnerId,
}

impl Verb for FindRunner<'_> {
    type Output = Option<Runner>;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Option<Runner>>, Failure> {
        let rows = link.ask(statements::RUNNER, &[&self.runner.as_str().as_bytes()]).await?;
        link.done();
        let runner = rows.first().map(read).transpose();
        runner.map(Done::nothing_new).map_err(Failure::for_good)
    }
}

/// See [`crate::Store::runners`].
pub(super) struct Runners {
    pub(super) at_most: i64,
}

impl Verb for Runners {
    type Output = (Vec<Runner>, u64);
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Self::Output>, Failure> {
        let rows = link.ask(statements::RUNNERS, &[&self.at_most]).await?;
        let total = count(&link.ask(statements::COUNT_RUNNERS, &[&0_i64]).await?, 0)?;
        link.done();
        let last_seen = rows.iter().map(read).collect::<Result<Vec<_>, _>>().map_err(Failure::for_good)?;
        Ok(Done::nothing_new((last_seen, total)))
    }
}

/// See [`crate::Store::prune_runners`].
pub(super) struct ForgetRunners {
    pub(super) before: Timestamp,
    pub(super) at_most: i64,
}

impl Verb for ForgetRunners {
    type Output = u64;

    async fn run(&self, link: Link) -> Result<Done<u64>, Failure> {
        let given = given![time(self.before), self.at_most];
        let forgotten = link.write(&Write { statement: statements::FORGET_RUNNERS, given }).await?;
        Ok(Done::nothing_new(forgotten))
    }
}

fn read(row: &Columns) -> Result<Runner, Error> {
    Ok(Runner {
        id: RunnerId::parse(&text(row, 0)?).map_err(|_| damaged("id"))?,
        name: text(row, 1)?,
        capabilities: serde_json::from_str(&text(row, 2)?).map_err(|_| damaged("capabilities"))?,
        registered_at: epoch(column(row, 3)?, "registered_at")?,
        seen_at: epoch(column(row, 4)?, "seen_at")?,
    })
}
