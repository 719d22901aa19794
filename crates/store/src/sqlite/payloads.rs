//! What jobs bring along: parameters, results, consoles.

use pilotlight_core::job::{Job, JobId, Transition};
use rusqlite::{Connection, OptionalExtension, Params, params};

use super::jobs::stored;
use super::tx::Tx;
use crate::error::Error;
use crate::records::{ConsoleUpdate, JobOutput, JobRecord, RunnerOutput};
use crate::stored::{Bytes, MORE, Stored, length};

/// Adding to a console rewrites its last piece up to this size, in bytes, and begins a new one beyond it.
const PIECE: i64 = 16 * 1024;
const _: () = assert!(PIECE == 16_384, "`select_found` has it as well");

/// What follows a [`Stored`] to make it a [`JobRecord`]. A console of at most [`PIECE`] bytes is in one piece, and is read
/// without the table that sorts several.
macro_rules! select_found {
    ($rest:literal) => {
        super::jobs::select_jobs!(
            "output, error, CASE WHEN console_bytes = 0 THEN NULL WHEN console_bytes <= 16384 \
             THEN (SELECT text FROM consoles WHERE job = seq) \
             ELSE (SELECT group_concat(text, '' ORDER BY piece) FROM consoles WHERE job = seq) END",
            $rest
        )
    };
}
pub(super) use select_found;

pub(super) fn found(db: &Connection, sql: &str, params: impl Params) -> Result<Option<JobRecord>, Error> {
    db.prepare_cached(sql)?.query_row(params, |row| Ok(read(row))).optional()?.transpose()
}

pub(super) fn all_found(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<JobRecord>, Error> {
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_and_then(params, read)?;
    rows.collect()
}

fn read(row: &rusqlite::Row<'_>) -> Result<JobRecord, Error> {
    let console: Option<String> = row.get(MORE + 2)?;
    let end =
        JobOutput { result: row.get(MORE)?, error: row.get(MORE + 1)?, console: console.unwrap_or_default() };
    Ok(JobRecord { job: stored(row)?.job, output: Some(end) })
}

/// A job's parameters.
pub(super) fn input(db: &Connection, id: JobId) -> Result<Option<String>, Error> {
    let mut read =
        db.prepare_cached("SELECT input FROM inputs WHERE job = (SELECT seq FROM jobs WHERE id = ?1)")?;
    Ok(read.query_row([id.as_bytes()], |row| row.get(0)).optional()?)
}

/// The parameters of the job at this place.
pub(super) fn input_of(db: &Connection, seq: i64) -> Result<String, Error> {
    let mut read = db.prepare_cached("SELECT input FROM inputs WHERE job = ?1")?;
    let input = read.query_row([seq], |row| row.get(0)).optional()?;
    input.ok_or_else(|| Error::Corrupt("a job has no parameters".to_owned()))
}

/// Whether there was room for what a word brought.
pub(super) enum Kept {
    /// There was; the job's large things come to this now.
    Yes(Bytes),
    /// Its console would be too large. Nothing has changed.
    ConsoleFull,
}

/// Keeps what a word brought that changed a job into `after`.
pub(super) fn keep(
    tx: &Tx<'_>,
    before: &Stored,
    after: &Job,
    transition: Transition,
    payload: &RunnerOutput,
) -> Result<Kept, Error> {
    let mut bytes = before.bytes;
    // A new try begins with an empty console.
    if matches!(transition, Transition::Dispatched | Transition::Claimed) && bytes.console > 0 {
        clear_console(tx, before.seq)?;
        bytes.console = 0;
    }
    if let Some(console) = &payload.console {
        let grown = grown(bytes.console, console);
        if usize::try_from(grown).unwrap_or(usize::MAX) > tx.settings.limits.console_bytes {
            return Ok(Kept::ConsoleFull);
        }
        write_console(tx, before.seq, bytes.console, console)?;
        bytes.console = grown;
    }
    if after.has_ended() && (payload.result.is_some() || payload.error.is_some()) {
        bytes.output = write_output(tx, before.seq, payload)?;
    }
    Ok(Kept::Yes(bytes))
}

fn grown(known: i64, console: &ConsoleUpdate) -> i64 {
    match console {
        ConsoleUpdate::Replace(text) => length(text),
        ConsoleUpdate::Append(text) => known.saturating_add(length(text)),
    }
}

fn write_console(tx: &Tx<'_>, seq: i64, known: i64, console: &ConsoleUpdate) -> Result<(), Error> {
    match console {
        ConsoleUpdate::Replace(text) => {
            if known > 0 {
                clear_console(tx, seq)?;
            }
            add_piece(tx, seq, text)
        }
        ConsoleUpdate::Append(text) if joins_last_piece(tx, seq, text)? => Ok(()),
        ConsoleUpdate::Append(text) => add_piece(tx, seq, text),
    }
}

fn clear_console(tx: &Tx<'_>, seq: i64) -> Result<(), Error> {
    tx.db.prepare_cached("DELETE FROM consoles WHERE job = ?1")?.execute([seq])?;
    Ok(())
}

fn add_piece(tx: &Tx<'_>, seq: i64, text: &str) -> Result<(), Error> {
    if !text.is_empty() {
        tx.db
            .prepare_cached("INSERT INTO consoles (job, text) VALUES (?1, ?2)")?
            .execute(params![seq, text])?;
    }
    Ok(())
}

fn joins_last_piece(tx: &Tx<'_>, seq: i64, text: &str) -> Result<bool, Error> {
    let mut join = tx.db.prepare_cached(
        "UPDATE consoles SET text = text || ?2 \
         WHERE piece = (SELECT max(piece) FROM consoles WHERE job = ?1) AND octet_length(text) + ?3 <= ?4",
    )?;
    Ok(join.execute(params![seq, text, length(text), PIECE])? > 0)
}

fn write_output(tx: &Tx<'_>, seq: i64, payload: &RunnerOutput) -> Result<i64, Error> {
    tx.db
        .prepare_cached("INSERT OR REPLACE INTO outputs (job, output, error) VALUES (?1, ?2, ?3)")?
        .execute(params![seq, payload.result, payload.error])?;
    let texts = [&payload.result, &payload.error];
    Ok(texts.into_iter().flatten().map(|text| length(text)).sum())
}
