//! Brings the database's schema to what this program knows, one step and one transaction at a time, under a lock that
//! only one instance has. Instances of two neighbouring versions use one database: a step only adds, and what it
//! makes says from which program on it may be used.

use super::failure::Failure;
use super::jobs::column;
use super::link::Pool;
use super::statements;
use super::tx::{Write, given};
use crate::error::Error;
use crate::migrations::{self, Migration};
use crate::row::number;

/// All steps there are.
const MIGRATIONS: &[Migration] =
    &[Migration { number: 1, sql: include_str!("../../migrations/postgres/0001_jobs.sql") }];

/// The oldest schema whose programs may use what the newest step makes. It is raised by a step that takes something
/// away, one release after nothing uses that any more.
const READABLE_FROM: u32 = 1;

/// Runs what is missing.
pub(super) async fn migrate(pool: &Pool) -> Result<(), Error> {
    while step(pool).await.map_err(|failure| failure.error)? == Step::Taken {}
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Taken,
    NoneLeft,
}

async fn step(pool: &Pool) -> Result<Step, Failure> {
    let link = pool.lend().await?;
    link.run(statements::BEGIN_TO_MIGRATE).await?;
    let found = migrations::SchemaVersion {
        schema: read(&link.ask(statements::SCHEMA, &[]).await?)?,
        readable_from: read(&link.ask(statements::READABLE_FROM, &[]).await?)?,
    };
    let missing = migrations::missing_among_others(MIGRATIONS, found).map_err(Failure::for_good)?;
    let Some(next) = missing.first() else {
        link.leave().await?;
        return Ok(Step::NoneLeft);
    };
    link.run(next.sql).await?;
    let set = |name: &'static str, value: u32| Write {
        statement: statements::SET_META,
        given: given![name, i64::from(value)],
    };
    let oldest = READABLE_FROM.min(next.number);
    link.commit(&[set("schema", next.number), set("readable_from", oldest)]).await?;
    Ok(Step::Taken)
}

/// A number of `meta`; 0 where it has none.
fn read(rows: &[tokio_postgres::Row]) -> Result<u32, Failure> {
    let Some(row) = rows.first() else { return Ok(0) };
    let value: i64 = column(row, 0).map_err(Failure::for_good)?;
    number(value, "value").map_err(Failure::for_good)
}
