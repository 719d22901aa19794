//! Reads and writes registered runners.

use pilotlight_core::ids::RunnerId;
use pilotlight_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::jobs::count;
use super::tx::SqliteTx;
use crate::columns::{corrupt_column, millis_of_time, time_from_millis};
use crate::error::Error;
use crate::records::Runner;

/// See [`crate::RunnerStore::register_runner`].
pub(super) fn register(tx: &SqliteTx<'_>, runner: &Runner) -> Result<(), Error> {
    let capabilities =
        serde_json::to_string(&runner.capabilities).map_err(|error| Error::Database(Box::new(error)))?;
    tx.db
        .prepare_cached(
            "INSERT OR REPLACE INTO runners (id, name, capabilities, registered_at, seen_at) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            runner.id.as_str(),
            runner.name,
            capabilities,
            millis_of_time(runner.registered_at),
            millis_of_time(runner.seen_at)
        ])?;
    Ok(())
}

/// See [`crate::RunnerStore::touch_runner`].
pub(super) fn touch_runner(tx: &SqliteTx<'_>, runner: &RunnerId, now: Timestamp) -> Result<bool, Error> {
    let mut write = tx.db.prepare_cached("UPDATE runners SET seen_at = max(seen_at, ?2) WHERE id = ?1")?;
    Ok(write.execute(params![runner.as_str(), millis_of_time(now)])? > 0)
}

/// See [`crate::ReadStore::runner`].
pub(super) fn runner(db: &Connection, runner: &RunnerId) -> Result<Option<Runner>, Error> {
    let mut find = db
        .prepare_cached("SELECT id, name, capabilities, registered_at, seen_at FROM runners WHERE id = ?1")?;
    find.query_row([runner.as_str()], |row| Ok(read(row))).optional()?.transpose()
}

/// See [`crate::ReadStore::runners`].
pub(super) fn runners(db: &Connection, at_most: usize) -> Result<(Vec<Runner>, u64), Error> {
    let mut list = db.prepare_cached(
        "SELECT id, name, capabilities, registered_at, seen_at FROM runners INDEXED BY runners_by_seen \
         ORDER BY seen_at DESC LIMIT ?1",
    )?;
    let rows = list.query_and_then([i64::try_from(at_most).unwrap_or(i64::MAX)], read)?;
    let last_seen = rows.collect::<Result<Vec<_>, _>>()?;
    let mut total = db.prepare_cached("SELECT count(*) FROM runners")?;
    let total = total.query_row([], |row| Ok(count(row)))??;
    Ok((last_seen, total))
}

/// See [`crate::RunnerStore::prune_runners`].
pub(super) fn prune_runners(tx: &SqliteTx<'_>, before: Timestamp, at_most: usize) -> Result<u64, Error> {
    let mut delete = tx.db.prepare_cached(
        "DELETE FROM runners WHERE id IN (SELECT id FROM runners INDEXED BY runners_by_seen WHERE seen_at < ?1 \
         AND NOT EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_by_runner WHERE runner = runners.id) \
         ORDER BY seen_at LIMIT ?2)",
    )?;
    let deleted =
        delete.execute(params![millis_of_time(before), i64::try_from(at_most).unwrap_or(i64::MAX)])?;
    Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
}

fn read(row: &rusqlite::Row<'_>) -> Result<Runner, Error> {
    let id: String = row.get(0)?;
    let capabilities: String = row.get(2)?;
    Ok(Runner {
        id: RunnerId::parse(&id).map_err(|_| corrupt_column("id"))?,
        name: row.get(1)?,
        capabilities: serde_json::from_str(&capabilities).map_err(|_| corrupt_column("capabilities"))?,
        registered_at: time_from_millis(row.get(3)?, "registered_at")?,
        seen_at: time_from_millis(row.get(4)?, "seen_at")?,
    })
}
