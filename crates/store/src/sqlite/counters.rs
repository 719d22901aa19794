//! Counters that every change of a job updates: the number of jobs of each type and stored status, the number of
//! waiting jobs, and the bytes of waiting, running and ended jobs. Each transaction writes its changes once, at its
//! end.

use std::collections::HashMap;

use pilotlight_core::ids::JobType;
use pilotlight_core::job::QueueUsage;
use rusqlite::{Connection, params};

use crate::columns::{StatusGroup, StoredStatus, number};
use crate::error::Error;
use crate::job_row::JobBytes;

/// The sums that the queue and retention limits are compared with, or a change of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Number of waiting jobs.
    waiting_jobs: i64,
    /// Bytes of waiting jobs.
    waiting_bytes: i64,
    /// Bytes of jobs that are assigned to runners.
    under_way_bytes: i64,
    /// Bytes of ended jobs.
    pub(super) ended_bytes: i64,
}

impl Sums {
    fn of(status: StoredStatus, bytes: i64) -> Self {
        match status.group() {
            StatusGroup::Waiting => Self { waiting_jobs: 1, waiting_bytes: bytes, ..Self::default() },
            StatusGroup::Running => Self { under_way_bytes: bytes, ..Self::default() },
            StatusGroup::Ended => Self { ended_bytes: bytes, ..Self::default() },
        }
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            waiting_jobs: self.waiting_jobs + other.waiting_jobs,
            waiting_bytes: self.waiting_bytes + other.waiting_bytes,
            under_way_bytes: self.under_way_bytes + other.under_way_bytes,
            ended_bytes: self.ended_bytes + other.ended_bytes,
        }
    }

    const fn minus(self, other: Self) -> Self {
        Self {
            waiting_jobs: self.waiting_jobs - other.waiting_jobs,
            waiting_bytes: self.waiting_bytes - other.waiting_bytes,
            under_way_bytes: self.under_way_bytes - other.under_way_bytes,
            ended_bytes: self.ended_bytes - other.ended_bytes,
        }
    }

    /// Number and bytes of the waiting jobs.
    pub(super) fn usage(self) -> Result<QueueUsage, Error> {
        let jobs = number(self.waiting_jobs, "waiting_jobs")?;
        Ok(QueueUsage { jobs, bytes: number(self.waiting_bytes, "waiting_bytes")? })
    }

    /// Bytes of parameters, results and consoles of all jobs.
    pub(super) const fn bytes(self) -> i64 {
        self.waiting_bytes + self.under_way_bytes + self.ended_bytes
    }

    fn write(self, db: &Connection) -> Result<(), Error> {
        if self == Self::default() {
            return Ok(());
        }
        let mut write = db.prepare_cached(
            "UPDATE sums SET waiting_jobs = waiting_jobs + ?1, waiting_bytes = waiting_bytes + ?2, \
             under_way_bytes = under_way_bytes + ?3, ended_bytes = ended_bytes + ?4",
        )?;
        write.execute([self.waiting_jobs, self.waiting_bytes, self.under_way_bytes, self.ended_bytes])?;
        Ok(())
    }
}

/// Changes of the counters.
#[derive(Debug, Default)]
pub(super) struct SqliteCounterChanges {
    pub(super) sums: Sums,
    jobs: Vec<(StoredStatus, JobType, i64)>,
}

impl SqliteCounterChanges {
    /// A job of this type was inserted.
    pub(super) fn add_job(&mut self, job_type: &JobType, status: StoredStatus, bytes: JobBytes) {
        self.jobs.push((status, job_type.clone(), 1));
        self.sums = self.sums.plus(Sums::of(status, bytes.sum()));
    }

    /// A job of this type was deleted.
    pub(super) fn remove_job(&mut self, job_type: &JobType, status: StoredStatus, bytes: JobBytes) {
        self.jobs.push((status, job_type.clone(), -1));
        self.sums = self.sums.minus(Sums::of(status, bytes.sum()));
    }

    /// A job of this type changed its stored status or its size.
    pub(super) fn move_job(
        &mut self,
        job_type: &JobType,
        from: (StoredStatus, JobBytes),
        to: (StoredStatus, JobBytes),
    ) {
        if from.0 != to.0 {
            self.jobs.extend([(from.0, job_type.clone(), -1), (to.0, job_type.clone(), 1)]);
        }
        let (before, after) = (Sums::of(from.0, from.1.sum()), Sums::of(to.0, to.1.sum()));
        self.sums = self.sums.minus(before).plus(after);
    }

    /// Adds the changes of another operation.
    pub(super) fn add(&mut self, other: Self) {
        self.sums = self.sums.plus(other.sums);
        self.jobs.extend(other.jobs);
    }

    pub(super) fn write(self, db: &Connection) -> Result<(), Error> {
        self.sums.write(db)?;
        let mut sums = HashMap::new();
        for (status, job_type, by) in self.jobs {
            *sums.entry((status, job_type)).or_insert(0) += by;
        }
        for ((status, job_type), by) in sums.into_iter().filter(|(_, by)| *by != 0) {
            add_jobs(db, status, &job_type, by)?;
        }
        Ok(())
    }
}

fn add_jobs(db: &Connection, status: StoredStatus, job_type: &JobType, by: i64) -> Result<(), Error> {
    let mut add = db.prepare_cached(
        "INSERT INTO tallies (phase, job_type, jobs) VALUES (?1, ?2, ?3) \
         ON CONFLICT (phase, job_type) DO UPDATE SET jobs = jobs + excluded.jobs RETURNING jobs",
    )?;
    let jobs: i64 = add.query_row(params![status.number(), job_type.as_str(), by], |row| row.get(0))?;
    if jobs == 0 {
        db.prepare_cached("DELETE FROM tallies WHERE phase = ?1 AND job_type = ?2")?
            .execute(params![status.number(), job_type.as_str()])?;
    }
    Ok(())
}

/// Reads the sums that limits are compared with.
pub(super) fn sums(db: &Connection) -> Result<Sums, Error> {
    let mut read =
        db.prepare_cached("SELECT waiting_jobs, waiting_bytes, under_way_bytes, ended_bytes FROM sums")?;
    let sums = read.query_row([], |row| {
        Ok(Sums {
            waiting_jobs: row.get(0)?,
            waiting_bytes: row.get(1)?,
            under_way_bytes: row.get(2)?,
            ended_bytes: row.get(3)?,
        })
    })?;
    Ok(sums)
}

/// Number of jobs by stored status, in the order of [`StoredStatus::ALL`].
pub(super) fn by_status(db: &Connection) -> Result<[u64; StoredStatus::ALL.len()], Error> {
    let mut read = db.prepare_cached("SELECT phase, sum(jobs) FROM tallies GROUP BY phase")?;
    let mut rows = read.query([])?;
    let mut counts = [0; StoredStatus::ALL.len()];
    while let Some(row) = rows.next()? {
        let status = StoredStatus::from_number(row.get(0)?)?;
        counts[status_index(status)] = number(row.get(1)?, "jobs")?;
    }
    Ok(counts)
}

/// The index of a stored status in [`StoredStatus::ALL`].
pub(super) fn status_index(status: StoredStatus) -> usize {
    StoredStatus::ALL.iter().position(|it| *it == status).expect("`ALL` has every status")
}

/// The job types with jobs in this stored status, and the number of jobs of each.
pub(super) fn by_type(db: &Connection, status: StoredStatus) -> Result<Vec<(String, i64)>, Error> {
    let mut read = db.prepare_cached("SELECT job_type, jobs FROM tallies WHERE phase = ?1")?;
    let rows = read.query_map([status.number()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
