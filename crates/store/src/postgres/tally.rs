//! Sums that are kept in step with the jobs: how many of a type are in a phase, and how many bytes they have. Each
//! transaction adds its changes once, at its end, to its connection's own share.

use std::collections::BTreeMap;

use pilotlight_core::ids::JobType;
use pilotlight_core::job::QueueUsage;
use tokio_postgres::Row as Columns;

use super::failure::Failure;
use super::jobs::{column, small, text};
use super::statements;
use super::tx::{Write, given};
use crate::error::Error;
use crate::row::{Phase, damaged, number};
use crate::stored::Bytes;

/// Changes of the sums.
#[derive(Debug, Default)]
pub(super) struct Delta(BTreeMap<(i16, Vec<u8>), (i64, i64)>);

impl Delta {
    /// A job of this type went from one phase to another, or changed in size.
    pub(super) fn moves(&mut self, job_type: &JobType, from: (Phase, Bytes), to: (Phase, Bytes)) {
        self.add(job_type, from.0, (-1, -from.1.sum()));
        self.add(job_type, to.0, (1, to.1.sum()));
    }

    /// A job of this type is forgotten.
    pub(super) fn leaves(&mut self, job_type: &JobType, phase: Phase, bytes: Bytes) {
        self.add(job_type, phase, (-1, -bytes.sum()));
    }

    fn add(&mut self, job_type: &JobType, phase: Phase, (jobs, bytes): (i64, i64)) {
        let of = (small(phase.number()), job_type.as_str().as_bytes().to_vec());
        let sums = self.0.entry(of).or_default();
        *sums = (sums.0 + jobs, sums.1 + bytes);
    }

    /// As one statement, if anything changes.
    pub(super) fn write(self) -> Option<Write> {
        let changes: Vec<_> = self.0.into_iter().filter(|(_, sums)| *sums != (0, 0)).collect();
        let phases: Vec<i16> = changes.iter().map(|((phase, _), _)| *phase).collect();
        let jobs: Vec<i64> = changes.iter().map(|(_, (jobs, _))| *jobs).collect();
        let bytes: Vec<i64> = changes.iter().map(|(_, (_, bytes))| *bytes).collect();
        let types: Vec<Vec<u8>> = changes.into_iter().map(|((_, job_type), _)| job_type).collect();
        let is_change = !types.is_empty();
        is_change.then(|| Write {
            statement: statements::ADD_TO_TALLIES,
            given: given![phases, types, jobs, bytes],
        })
    }
}

/// How many jobs are in each phase, in the order of [`Phase::ALL`].
pub(super) fn by_phase(rows: &[Columns]) -> Result<[u64; Phase::ALL.len()], Failure> {
    let mut counts = [0; Phase::ALL.len()];
    for row in rows {
        let (phase, jobs) = in_phase(row).map_err(Failure::for_good)?;
        counts[index(phase)] = jobs;
    }
    Ok(counts)
}

fn in_phase(row: &Columns) -> Result<(Phase, u64), Error> {
    let phase: i16 = column(row, 0)?;
    Ok((Phase::from_number(phase.into())?, number(column(row, 1)?, "jobs")?))
}

/// Where this phase stands among all.
pub(super) fn index(phase: Phase) -> usize {
    Phase::ALL.iter().position(|it| *it == phase).expect("`ALL` has every phase")
}

/// What waits.
pub(super) fn waiting(rows: &[Columns]) -> Result<QueueUsage, Failure> {
    rows.first().map_or(Ok(QueueUsage::default()), |row| all_of(row).map_err(Failure::for_good))
}

fn all_of(row: &Columns) -> Result<QueueUsage, Error> {
    Ok(QueueUsage { jobs: number(column(row, 0)?, "jobs")?, bytes: number(column(row, 1)?, "bytes")? })
}

/// Types with jobs in a phase, and how many.
pub(super) fn by_type(rows: &[Columns]) -> Result<Vec<(JobType, u64)>, Failure> {
    rows.iter().map(|row| of_type(row).map_err(Failure::for_good)).collect()
}

fn of_type(row: &Columns) -> Result<(JobType, u64), Error> {
    let job_type = JobType::parse(&text(row, 0)?).map_err(|_| damaged("job_type"))?;
    Ok((job_type, number(column(row, 1)?, "jobs")?))
}
