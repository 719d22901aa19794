//! Applies `Event::Tick` to the jobs that are due: their dispatch, lease or result has timed out.

use pilotlight_core::job::{Event, Transition};
use pilotlight_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::tx::SqliteTx;
use super::{apply, jobs};
use crate::columns::{corrupt_column, millis_of_time};
use crate::error::Error;
use crate::records::{AppliedEvent, EventOutcome, RunnerOutput};
use crate::write_plan::EventWithOutput;

/// See [`crate::JobStore::sweep`].
pub(super) fn sweep(
    tx: &mut SqliteTx<'_>,
    at_most: usize,
    listening_since: Timestamp,
    now: Timestamp,
) -> Result<Vec<AppliedEvent>, Error> {
    let mut changed = Vec::new();
    for seq in due(tx, at_most, listening_since, now)? {
        let before = jobs::by_seq(tx.db, seq)?.ok_or_else(|| corrupt_column("seq"))?;
        let tick = EventWithOutput { event: &Event::Tick, runner_output: &RunnerOutput::default() };
        let outcome = apply::apply_to_row(tx, &before, tick, now)?;
        if let EventOutcome::Applied(applied) = outcome
            && applied.transition != Transition::Unchanged
        {
            changed.push(applied);
        }
    }
    Ok(changed)
}

/// The `seq` of the due jobs. Dispatches and lost leases come first, because callers wait for those jobs; expired
/// results are only marked.
fn due(
    tx: &SqliteTx<'_>,
    at_most: usize,
    listening_since: Timestamp,
    now: Timestamp,
) -> Result<Vec<i64>, Error> {
    let heartbeat_cutoff = tx.settings.policy.heartbeat_cutoff(listening_since, now);
    let mut due = Vec::new();
    for (sql, until) in [
        (
            "SELECT seq FROM jobs INDEXED BY jobs_dispatching WHERE phase = 2 AND until_at <= ?1 \
             ORDER BY until_at LIMIT ?2",
            now,
        ),
        (
            "SELECT seq FROM jobs INDEXED BY jobs_executing WHERE phase IN (3, 4) AND heard_at <= ?1 \
             ORDER BY heard_at LIMIT ?2",
            heartbeat_cutoff,
        ),
        (
            "SELECT seq FROM jobs INDEXED BY jobs_valid WHERE phase = 5 AND until_at <= ?1 \
             ORDER BY until_at LIMIT ?2",
            now,
        ),
    ] {
        let remaining = at_most - due.len();
        due.extend(first(tx.db, sql, until, remaining)?);
    }
    Ok(due)
}

fn first(db: &Connection, sql: &str, until: Timestamp, at_most: usize) -> Result<Vec<i64>, Error> {
    let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
    let mut read = db.prepare_cached(sql)?;
    let rows = read.query_map(params![millis_of_time(until), at_most], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
