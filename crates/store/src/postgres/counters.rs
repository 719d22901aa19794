//! Counters that every change of a job updates: number and bytes of the jobs of each type and stored status. Each
//! transaction writes its changes once, at its end, to one of 16 shares, chosen by its connection: a single row would
//! serialize all transactions.

use std::collections::BTreeMap;

use pilotlight_core::ids::JobType;
use pilotlight_core::job::QueueUsage;
use tokio_postgres::Row as PgRow;

use super::column_values::{column, small_int, text};
use super::failure::Failure;
use super::statements;
use super::write_statement::{WriteStatement, owned_params};
use crate::columns::{StoredStatus, corrupt_column, number};
use crate::error::Error;
use crate::job_row::JobBytes;

/// Changes of the counters: number of jobs and bytes by stored status and job type.
#[derive(Debug, Default)]
pub(super) struct PgCounterChanges(BTreeMap<(i16, Vec<u8>), (i64, i64)>);

impl PgCounterChanges {
    /// A job of this type changed its stored status or its size.
    pub(super) fn move_job(
        &mut self,
        job_type: &JobType,
        from: (StoredStatus, JobBytes),
        to: (StoredStatus, JobBytes),
    ) {
        self.add(job_type, from.0, (-1, -from.1.sum()));
        self.add(job_type, to.0, (1, to.1.sum()));
    }

    /// A job of this type was deleted.
    pub(super) fn remove_job(&mut self, job_type: &JobType, status: StoredStatus, bytes: JobBytes) {
        self.add(job_type, status, (-1, -bytes.sum()));
    }

    fn add(&mut self, job_type: &JobType, status: StoredStatus, (jobs, bytes): (i64, i64)) {
        let of = (small_int(status.number()), job_type.as_str().as_bytes().to_vec());
        let sums = self.0.entry(of).or_default();
        *sums = (sums.0 + jobs, sums.1 + bytes);
    }

    /// The changes as one statement; `None` when there are none.
    pub(super) fn write(self) -> Option<WriteStatement> {
        let changes: Vec<_> = self.0.into_iter().filter(|(_, sums)| *sums != (0, 0)).collect();
        let phases: Vec<i16> = changes.iter().map(|((status, _), _)| *status).collect();
        let jobs: Vec<i64> = changes.iter().map(|(_, (jobs, _))| *jobs).collect();
        let bytes: Vec<i64> = changes.iter().map(|(_, (_, bytes))| *bytes).collect();
        let types: Vec<Vec<u8>> = changes.into_iter().map(|((_, job_type), _)| job_type).collect();
        let is_change = !types.is_empty();
        is_change.then(|| WriteStatement {
            statement: statements::ADD_TO_COUNTERS,
            params: owned_params![phases, types, jobs, bytes],
        })
    }
}

/// Number of jobs by stored status, in the order of [`StoredStatus::ALL`].
pub(super) fn by_status(rows: &[PgRow]) -> Result<[u64; StoredStatus::ALL.len()], Failure> {
    let mut counts = [0; StoredStatus::ALL.len()];
    for row in rows {
        let (status, jobs) = status_count(row).map_err(Failure::permanent)?;
        counts[status_index(status)] = jobs;
    }
    Ok(counts)
}

fn status_count(row: &PgRow) -> Result<(StoredStatus, u64), Error> {
    let status: i16 = column(row, 0)?;
    Ok((StoredStatus::from_number(status.into())?, number(column(row, 1)?, "jobs")?))
}

/// The index of a stored status in [`StoredStatus::ALL`].
pub(super) fn status_index(status: StoredStatus) -> usize {
    StoredStatus::ALL.iter().position(|it| *it == status).expect("`ALL` has every status")
}

/// Number and bytes of the waiting jobs.
pub(super) fn usage(rows: &[PgRow]) -> Result<QueueUsage, Failure> {
    rows.first().map_or(Ok(QueueUsage::default()), |row| usage_of_row(row).map_err(Failure::permanent))
}

fn usage_of_row(row: &PgRow) -> Result<QueueUsage, Error> {
    Ok(QueueUsage { jobs: number(column(row, 0)?, "jobs")?, bytes: number(column(row, 1)?, "bytes")? })
}

/// The job types with jobs in one stored status, and the number of jobs of each.
pub(super) fn by_type(rows: &[PgRow]) -> Result<Vec<(JobType, u64)>, Failure> {
    rows.iter().map(|row| type_count(row).map_err(Failure::permanent)).collect()
}

fn type_count(row: &PgRow) -> Result<(JobType, u64), Error> {
    let job_type = JobType::parse(&text(row, 0)?).map_err(|_| corrupt_column("job_type"))?;
    Ok((job_type, number(column(row, 1)?, "jobs")?))
}
