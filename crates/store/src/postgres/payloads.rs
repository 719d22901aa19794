//! Reads and writes the texts of jobs: parameters, results, errors and consoles.

use pilotlight_core::job::{Job, Transition};
use tokio_postgres::Row as PgRow;

use super::column_values::{maybe_text, text};
use super::failure::Failure;
use super::jobs::job_row;
use super::statements;
use super::tx::PgTx;
use super::write_statement::owned_params;
use crate::error::Error;
use crate::job_row::{JOB_ROW_COLUMNS, JobRow, OutputOutcome, length};
use crate::records::{ConsoleUpdate, JobOutput, JobRecord, LeasedJob, Limits, RunnerOutput};

/// The record of the first row, if any.
pub(super) fn record(rows: &[PgRow]) -> Result<Option<JobRecord>, Failure> {
    rows.first().map(read_record).transpose()
}

/// The records of all rows.
pub(super) fn all_records(rows: &[PgRow]) -> Result<Vec<JobRecord>, Failure> {
    rows.iter().map(read_record).collect()
}

fn read_record(row: &PgRow) -> Result<JobRecord, Failure> {
    Ok(JobRecord { job: job_row(row)?.job, output: Some(output(row, JOB_ROW_COLUMNS)?) })
}

/// A job's output: the three columns from index `from` on.
pub(super) fn output(row: &PgRow, from: usize) -> Result<JobOutput, Failure> {
    let read = || {
        Ok::<_, Error>(JobOutput {
            result: maybe_text(row, from)?,
            error: maybe_text(row, from + 1)?,
            console: maybe_text(row, from + 2)?.unwrap_or_default(),
        })
    };
    read().map_err(Failure::permanent)
}

/// Removes the output of a job that has not ended.
pub(super) fn only_if_ended(mut record: JobRecord) -> JobRecord {
    record.output = record.output.filter(|_| record.job.has_ended());
    record
}

/// A job with its parameters.
pub(super) fn leased_job(row: &PgRow) -> Result<LeasedJob, Failure> {
    let input = text(row, JOB_ROW_COLUMNS).map_err(Failure::permanent)?;
    Ok(LeasedJob { job: job_row(row)?.job, input })
}

/// Stores the output that came with an event; the event changed the job from `before` to `after`.
pub(super) fn store_output(
    tx: &mut PgTx,
    before: &JobRow,
    (after, transition): (&Job, Transition),
    runner_output: &RunnerOutput,
    limits: Limits,
) -> OutputOutcome {
    let mut bytes = before.bytes;
    // A new attempt begins with an empty console.
    if matches!(transition, Transition::Dispatched | Transition::Claimed) && bytes.console > 0 {
        tx.write(statements::CLEAR_CONSOLE, owned_params![before.seq]);
        bytes.console = 0;
    }
    if let Some(console) = &runner_output.console {
        let console_size = console_size(bytes.console, console);
        if usize::try_from(console_size).unwrap_or(usize::MAX) > limits.console_bytes {
            return OutputOutcome::ConsoleFull;
        }
        write_console(tx, before.seq, bytes.console, console);
        bytes.console = console_size;
    }
    if after.has_ended() && (runner_output.result.is_some() || runner_output.error.is_some()) {
        bytes.output = write_output(tx, before.seq, runner_output);
    }
    OutputOutcome::Stored(bytes)
}

fn console_size(current_size: i64, console: &ConsoleUpdate) -> i64 {
    match console {
        ConsoleUpdate::Replace(text) => length(text),
        ConsoleUpdate::Append(text) => current_size.saturating_add(length(text)),
    }
}

fn write_console(tx: &mut PgTx, seq: i64, current_size: i64, console: &ConsoleUpdate) {
    let text = match console {
        ConsoleUpdate::Replace(text) => {
            if current_size > 0 {
                tx.write(statements::CLEAR_CONSOLE, owned_params![seq]);
            }
            text
        }
        ConsoleUpdate::Append(text) => text,
    };
    if !text.is_empty() {
        tx.write(statements::ADD_TO_CONSOLE, owned_params![seq, text.clone().into_bytes()]);
    }
}

fn write_output(tx: &mut PgTx, seq: i64, runner_output: &RunnerOutput) -> i64 {
    let [output, error] =
        [&runner_output.result, &runner_output.error].map(|text| text.clone().map(String::into_bytes));
    tx.write(statements::SET_OUTPUT, owned_params![seq, output, error]);
    [&runner_output.result, &runner_output.error].into_iter().flatten().map(|text| length(text)).sum()
}
