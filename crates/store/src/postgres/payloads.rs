//! Reads and writes the texts of jobs: parameters, results, errors and consoles.

use tokio_postgres::Row as PgRow;

use super::column_values::{maybe_text, text};
use super::failure::Failure;
use super::jobs::job_row;
use super::statements;
use super::tx::PgTx;
use super::write_statement::owned_params;
use crate::error::Error;
use crate::job_row::JOB_ROW_COLUMNS;
use crate::records::{JobOutput, JobRecord, LeasedJob, RunnerOutput};
use crate::write_plan::ConsoleWrite;

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

/// Writes what becomes of a job's console output.
pub(super) fn write_console(tx: &mut PgTx, seq: i64, console: ConsoleWrite<'_>) {
    if matches!(console, ConsoleWrite::Clear | ConsoleWrite::Replace(_)) {
        tx.write(statements::CLEAR_CONSOLE, owned_params![seq]);
    }
    let added = match console {
        ConsoleWrite::Keep | ConsoleWrite::Clear => "",
        ConsoleWrite::Replace(text) | ConsoleWrite::Begin(text) | ConsoleWrite::Append(text) => text,
    };
    if !added.is_empty() {
        tx.write(statements::ADD_TO_CONSOLE, owned_params![seq, added.as_bytes().to_vec()]);
    }
}

/// Stores a result or an error.
pub(super) fn write_output(tx: &mut PgTx, seq: i64, runner_output: &RunnerOutput) {
    let [output, error] =
        [&runner_output.result, &runner_output.error].map(|text| text.clone().map(String::into_bytes));
    tx.write(statements::SET_OUTPUT, owned_params![seq, output, error]);
}
