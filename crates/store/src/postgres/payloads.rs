//! What jobs bring along: parameters, results, consoles.

use pilotlight_core::job::{Job, Transition};
use tokio_postgres::Row as Columns;

use super::failure::Failure;
use super::jobs::{maybe_text, stored, text};
use super::statements;
use super::tx::{Tx, given};
use crate::error::Error;
use crate::records::{ConsoleUpdate, JobOutput, JobRecord, LeasedJob, Limits, RunnerOutput};
use crate::stored::{Bytes, MORE, Stored, length};

/// The only one of these.
pub(super) fn found(rows: &[Columns]) -> Result<Option<JobRecord>, Failure> {
    rows.first().map(read).transpose()
}

/// All of these.
pub(super) fn all_found(rows: &[Columns]) -> Result<Vec<JobRecord>, Failure> {
    rows.iter().map(read).collect()
}

fn read(row: &Columns) -> Result<JobRecord, Failure> {
    Ok(JobRecord { job: stored(row)?.job, output: Some(end(row, MORE)?) })
}

/// What a job ended with, in the columns from this one on.
pub(super) fn end(row: &Columns, from: usize) -> Result<JobOutput, Failure> {
    let read = || {
        Ok::<_, Error>(JobOutput {
            result: maybe_text(row, from)?,
            error: maybe_text(row, from + 1)?,
            console: maybe_text(row, from + 2)?.unwrap_or_default(),
        })
    };
    read().map_err(Failure::for_good)
}

/// Without what is no end yet.
pub(super) fn ended(mut found: JobRecord) -> JobRecord {
    found.output = found.output.filter(|_| found.job.has_ended());
    found
}

/// Jobs with their parameters.
pub(super) fn handed(row: &Columns) -> Result<LeasedJob, Failure> {
    let input = text(row, MORE).map_err(Failure::for_good)?;
    Ok(LeasedJob { job: stored(row)?.job, input })
}

/// Whether there was room for what a word brought.
pub(super) enum Kept {
    /// There was; the job's large things come to this now.
    Yes(Bytes),
    /// Its console would be too large.
    ConsoleFull,
}

/// Keeps what a word brought that changed a job into `after`.
pub(super) fn keep(
    tx: &mut Tx,
    before: &Stored,
    (after, transition): (&Job, Transition),
    payload: &RunnerOutput,
    limits: Limits,
) -> Kept {
    let mut bytes = before.bytes;
    // A new try begins with an empty console.
    if matches!(transition, Transition::Dispatched | Transition::Claimed) && bytes.console > 0 {
        tx.write(statements::CLEAR_CONSOLE, given![before.seq]);
        bytes.console = 0;
    }
    if let Some(console) = &payload.console {
        let grown = grown(bytes.console, console);
        if usize::try_from(grown).unwrap_or(usize::MAX) > limits.console_bytes {
            return Kept::ConsoleFull;
        }
        write_console(tx, before.seq, bytes.console, console);
        bytes.console = grown;
    }
    if after.has_ended() && (payload.result.is_some() || payload.error.is_some()) {
        bytes.output = write_output(tx, before.seq, payload);
    }
    Kept::Yes(bytes)
}

fn grown(known: i64, console: &ConsoleUpdate) -> i64 {
    match console {
        ConsoleUpdate::Replace(text) => length(text),
        ConsoleUpdate::Append(text) => known.saturating_add(length(text)),
    }
}

fn write_console(tx: &mut Tx, seq: i64, known: i64, console: &ConsoleUpdate) {
    let text = match console {
        ConsoleUpdate::Replace(text) => {
            if known > 0 {
                tx.write(statements::CLEAR_CONSOLE, given![seq]);
            }
            text
        }
        ConsoleUpdate::Append(text) => text,
    };
    if !text.is_empty() {
        tx.write(statements::ADD_TO_CONSOLE, given![seq, text.clone().into_bytes()]);
    }
}

fn write_output(tx: &mut Tx, seq: i64, payload: &RunnerOutput) -> i64 {
    let [output, error] = [&payload.result, &payload.error].map(|text| text.clone().map(String::into_bytes));
    tx.write(statements::SET_OUTPUT, given![seq, output, error]);
    [&payload.result, &payload.error].into_iter().flatten().map(|text| length(text)).sum()
}
