//! Brings the database's schema up to date, one transaction for each migration, under an advisory lock that only one
//! instance can have. Instances of two neighbouring versions may use one database at the same time: a migration only
//! adds to the schema, and stores the oldest schema number whose programs may still use the database.

use super::column_values::column;
use super::connection::Pool;
use super::failure::Failure;
use super::statements;
use super::write_statement::{WriteStatement, owned_params};
use crate::columns::number;
use crate::error::Error;
use crate::migrations::{self, Migration};

/// All migrations.
const MIGRATIONS: &[Migration] =
    &[Migration { number: 1, sql: include_str!("../../migrations/postgres/0001_jobs.sql") }];

/// The oldest schema number whose programs can use the newest schema. It is raised by a migration that removes
/// something, one release after the last program that used it.
const READABLE_FROM: u32 = 1;

/// Runs all missing migrations.
pub(super) async fn migrate(pool: &Pool) -> Result<(), Error> {
    while step(pool).await.map_err(|failure| failure.error)? == Step::Applied {}
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Applied,
    NoneLeft,
}

/// Runs the next missing migration, if any.
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

/// A number from the table `meta`; 0 when the row is missing.
fn read(rows: &[tokio_postgres::Row]) -> Result<u32, Failure> {
    let Some(row) = rows.first() else { return Ok(0) };
    let value: i64 = column(row, 0).map_err(Failure::permanent)?;
    number(value, "value").map_err(Failure::permanent)
}
