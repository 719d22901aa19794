//! Reads and writes the texts of jobs: parameters, results, errors and consoles.

use pilotlight_core::job::JobId;
use rusqlite::{Connection, OptionalExtension, Params, params};

use super::jobs::job_row;
use super::tx::SqliteTx;
use crate::error::Error;
use crate::job_row::{JOB_ROW_COLUMNS, length};
use crate::records::{JobOutput, JobRecord, RunnerOutput};
use crate::write_plan::ConsoleWrite;

/// A console is stored in pieces of up to this size, in bytes: an append that fits extends the last piece, any other
/// append begins a new one.
const PIECE: i64 = 16 * 1024;
const _: () = assert!(PIECE == 16_384, "the SQL of `select_record` repeats this number");

/// A `SELECT` of a [`JobRecord`]. A console of at most [`PIECE`] bytes is one piece, and is read without the temporary
/// table that sorts several pieces.
macro_rules! select_record {
    ($rest:literal) => {
        super::jobs::select_jobs!(
            "output, error, CASE WHEN console_bytes = 0 THEN NULL WHEN console_bytes <= 16384 \
             THEN (SELECT text FROM consoles WHERE job = seq) \
             ELSE (SELECT group_concat(text, '' ORDER BY piece) FROM consoles WHERE job = seq) END",
            $rest
        )
    };
}
pub(super) use select_record;

pub(super) fn record(db: &Connection, sql: &str, params: impl Params) -> Result<Option<JobRecord>, Error> {
    db.prepare_cached(sql)?.query_row(params, |row| Ok(read_record(row))).optional()?.transpose()
}

pub(super) fn all_records(db: &Connection, sql: &str, params: impl Params) -> Result<Vec<JobRecord>, Error> {
    let mut select = db.prepare_cached(sql)?;
    let rows = select.query_and_then(params, read_record)?;
    rows.collect()
}

fn read_record(row: &rusqlite::Row<'_>) -> Result<JobRecord, Error> {
    let console: Option<String> = row.get(JOB_ROW_COLUMNS + 2)?;
    let output = JobOutput {
        result: row.get(JOB_ROW_COLUMNS)?,
        error: row.get(JOB_ROW_COLUMNS + 1)?,
        console: console.unwrap_or_default(),
    };
    Ok(JobRecord { job: job_row(row)?.job, output: Some(output) })
}

/// A job's parameters.
pub(super) fn input(db: &Connection, id: JobId) -> Result<Option<String>, Error> {
    let mut read =
        db.prepare_cached("SELECT input FROM inputs WHERE job = (SELECT seq FROM jobs WHERE id = ?1)")?;
    Ok(read.query_row([id.as_bytes()], |row| row.get(0)).optional()?)
}

/// The parameters of the job with this `seq`.
pub(super) fn input_of(db: &Connection, seq: i64) -> Result<String, Error> {
    let mut read = db.prepare_cached("SELECT input FROM inputs WHERE job = ?1")?;
    let input = read.query_row([seq], |row| row.get(0)).optional()?;
    input.ok_or_else(|| Error::Corrupt("a job has no parameters".to_owned()))
}

/// Writes what becomes of a job's console output.
pub(super) fn write_console(tx: &SqliteTx<'_>, seq: i64, console: ConsoleWrite<'_>) -> Result<(), Error> {
    match console {
        ConsoleWrite::Keep => Ok(()),
        ConsoleWrite::Clear => clear_console(tx, seq),
        ConsoleWrite::Replace(text) => {
            clear_console(tx, seq)?;
            insert_piece(tx, seq, text)
        }
        ConsoleWrite::Append(text) if append_to_last_piece(tx, seq, text)? => Ok(()),
        ConsoleWrite::Begin(text) | ConsoleWrite::Append(text) => insert_piece(tx, seq, text),
    }
}

fn clear_console(tx: &SqliteTx<'_>, seq: i64) -> Result<(), Error> {
    tx.db.prepare_cached("DELETE FROM consoles WHERE job = ?1")?.execute([seq])?;
    Ok(())
}

fn insert_piece(tx: &SqliteTx<'_>, seq: i64, text: &str) -> Result<(), Error> {
    if !text.is_empty() {
        tx.db
            .prepare_cached("INSERT INTO consoles (job, text) VALUES (?1, ?2)")?
            .execute(params![seq, text])?;
    }
    Ok(())
}

fn append_to_last_piece(tx: &SqliteTx<'_>, seq: i64, text: &str) -> Result<bool, Error> {
    let mut join = tx.db.prepare_cached(
        "UPDATE consoles SET text = text || ?2 \
         WHERE piece = (SELECT max(piece) FROM consoles WHERE job = ?1) AND octet_length(text) + ?3 <= ?4",
    )?;
    Ok(join.execute(params![seq, text, length(text), PIECE])? > 0)
}

/// Stores a result or an error.
pub(super) fn write_output(tx: &SqliteTx<'_>, seq: i64, runner_output: &RunnerOutput) -> Result<(), Error> {
    tx.db
        .prepare_cached("INSERT OR REPLACE INTO outputs (job, output, error) VALUES (?1, ?2, ?3)")?
        .execute(params![seq, runner_output.result, runner_output.error])?;
    Ok(())
}
