//! Brings the database's schema to what this program knows, one step and one transaction at a time, under a lock that
//! only one instance has. Instances of two neighbouring versions use one database: a step only adds, and what it
//! makes says from which program on it may be used.

use super::connection::Pool;
use super::failure::Failure;
use super::jobs::column;
use super::statements;
use super::tx::{WriteStatement, owned_params};
use crate::columns::number;
use crate::error::Error;
use crate::migrations::{self, Migration};

/// All steps there are.
const MIGRATIONS: &[Migration] =
    &[Migration { number: 1, sql: include_str!("../../migrations/postgres/0001_jobs.sql") }];

/// The oldest schema whose programs may use what the newest step makes. It is raised by a step that takes something
/// away, one release after nothing uses that any more.
const READABLE_FROM: u32 = 1;

/// Runs what is missing.
pub(super) async fn migrate(pool: &Pool) -> Result<(), Error> {
    while step(pool).await.map_err(|failure| failure.error)? == Step::Applied {}
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Applied,
    NoneLeft,
}

async fn step(pool: &Pool) -> Result<Step, Failure> {
    let connection = pool.acquire().await?;
    connection.batch_execute(statements::BEGIN_MIGRATION).await?;
    let version = migrations::SchemaVersion {
        schema: read(&connection.query(statements::SCHEMA, &[]).await?)?,
        readable_from: read(&connection.query(statements::READABLE_FROM, &[]).await?)?,
    };
    let missing = migrations::missing_for_shared_schema(MIGRATIONS, version).map_err(Failure::permanent)?;
    let Some(next) = missing.first() else {
        connection.rollback().await?;
        return Ok(Step::NoneLeft);
    };
    connection.batch_execute(next.sql).await?;
    let set = |name: &'static str, value: u32| WriteStatement {
        statement: statements::SET_META,
        params: owned_params![name, i64::from(value)],
    };
    let oldest = READABLE_FROM.min(next.number);
    connection.commit(&[set("schema", next.number), set("readable_from", oldest)]).await?;
    Ok(Step::Applied)
}

/// A number of `meta`; 0 where it has none.
fn read(rows: &[tokio_postgres::Row]) -> Result<u32, Failure> {
    let Some(row) = rows.first() else { return Ok(0) };
    let value: i64 = column(row, 0).map_err(Failure::permanent)?;
    number(value, "value").map_err(Failure::permanent)
}
