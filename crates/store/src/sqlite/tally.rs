//! Sums that are kept in step with the jobs: how many of a type are in a phase, and how many bytes there are. Each
//! transaction adds its changes once, at its end.

use std::collections::HashMap;

use pilotlight_core::ids::JobType;
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::row::{Phase, number};

/// Changes of the sums.
#[derive(Debug, Default)]
pub(super) struct Delta {
    pub(super) bytes: i64,
    jobs: Vec<(Phase, JobType, i64)>,
}

impl Delta {
    /// A job of this type came into a phase.
    pub(super) fn enters(&mut self, phase: Phase, job_type: &JobType) {
        self.jobs.push((phase, job_type.clone(), 1));
    }

    /// A job of this type left a phase.
    pub(super) fn leaves(&mut self, phase: Phase, job_type: &JobType) {
        self.jobs.push((phase, job_type.clone(), -1));
    }

    /// The changes of another verb come to these.
    pub(super) fn add(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.jobs.extend(other.jobs);
    }

    pub(super) fn write(self, db: &Connection) -> Result<(), Error> {
        if self.bytes != 0 {
            db.prepare_cached("UPDATE meta SET value = value + ?1 WHERE name = 'bytes'")?
                .execute([self.bytes])?;
        }
        let mut sums = HashMap::new();
        for (phase, job_type, by) in self.jobs {
            *sums.entry((phase, job_type)).or_insert(0) += by;
        }
        for ((phase, job_type), by) in sums.into_iter().filter(|(_, by)| *by != 0) {
            add_jobs(db, phase, &job_type, by)?;
        }
        Ok(())
    }
}

fn add_jobs(db: &Connection, phase: Phase, job_type: &JobType, by: i64) -> Result<(), Error> {
    let mut add = db.prepare_cached(
        "INSERT INTO tallies (phase, job_type, jobs) VALUES (?1, ?2, ?3) \
         ON CONFLICT (phase, job_type) DO UPDATE SET jobs = jobs + excluded.jobs RETURNING jobs",
    )?;
    let jobs: i64 = add.query_row(params![phase.number(), job_type.as_str(), by], |row| row.get(0))?;
    if jobs == 0 {
        db.prepare_cached("DELETE FROM tallies WHERE phase = ?1 AND job_type = ?2")?
            .execute(params![phase.number(), job_type.as_str()])?;
    }
    Ok(())
}

/// Bytes of parameters, results and consoles of all jobs.
pub(super) fn bytes(db: &Connection) -> Result<i64, Error> {
    let mut read = db.prepare_cached("SELECT value FROM meta WHERE name = 'bytes'")?;
    Ok(read.query_row([], |row| row.get(0))?)
}

/// How many jobs are in each phase, in the order of [`Phase::ALL`].
pub(super) fn by_phase(db: &Connection) -> Result<[u64; Phase::ALL.len()], Error> {
    let mut read = db.prepare_cached("SELECT phase, sum(jobs) FROM tallies GROUP BY phase")?;
    let mut rows = read.query([])?;
    let mut counts = [0; Phase::ALL.len()];
    while let Some(row) = rows.next()? {
        let phase = Phase::from_number(row.get(0)?)?;
        counts[index(phase)] = number(row.get(1)?, "jobs")?;
    }
    Ok(counts)
}

/// Where a phase stands among them.
pub(super) fn index(phase: Phase) -> usize {
    Phase::ALL.iter().position(|it| *it == phase).expect("`ALL` has every phase")
}

/// Types with jobs in this phase, and how many.
pub(super) fn by_type(db: &Connection, phase: Phase) -> Result<Vec<(String, i64)>, Error> {
    let mut read = db.prepare_cached("SELECT job_type, jobs FROM tallies WHERE phase = ?1")?;
    let rows = read.query_map([phase.number()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
