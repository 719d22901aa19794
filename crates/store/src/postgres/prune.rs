//! Forgetting jobs: because they are old, because they are large, or because somebody says so.

use pilotlight_core::job::JobId;
use pilotlight_core::time::Timestamp;
use tokio_postgres::Row as Columns;

use super::failure::Failure;
use super::jobs::{self, column};
use super::link::Link;
use super::lists::limit;
use super::statements;
use super::tx::Tx;
use super::verb::{Done, Verb};
use crate::records::{PruneStats, Retention};
use crate::row::{damaged, epoch, number};
use crate::stored::Stored;

/// See [`crate::Store::prune`].
pub(super) struct Prune {
    pub(super) retention: Retention,
    pub(super) now: Timestamp,
}

impl Verb for Prune {
    type Output = PruneStats;

    async fn run(&self, link: Link) -> Result<Done<PruneStats>, Failure> {
        link.ask(statements::FOLD_TALLIES, &[]).await?;
        let (mut tx, oldest) =
            Tx::begin(link, statements::LOCK_OLDEST, &[&limit(self.retention.at_most)]).await?;
        let bytes = sum(&tx.ask(statements::ENDED_BYTES, &[]).await?)?;
        let too_many = self.chosen(jobs::all(&oldest)?, bytes).map_err(Failure::for_good)?;
        let pruned_bytes: i64 = too_many.iter().map(|job| job.bytes.sum()).sum();
        jobs::delete(&mut tx, &too_many);
        let bytes = number(pruned_bytes, "bytes").map_err(Failure::for_good)?;
        let jobs = u64::try_from(too_many.len()).unwrap_or(u64::MAX);
        Ok(Done { tidings: tx.end().await?, answer: PruneStats { jobs, bytes } })
    }
}

impl Prune {
    /// Of those that ended first, the ones that are to be forgotten.
    fn chosen(&self, oldest: Vec<Stored>, ended_bytes: u64) -> Result<Vec<Stored>, crate::error::Error> {
        let mut left = ended_bytes;
        let mut chosen = Vec::new();
        for job in oldest {
            let is_too_much = self.retention.max_bytes > 0 && left > self.retention.max_bytes;
            if !is_too_much && !self.is_old(&job)? {
                break;
            }
            left = left.saturating_sub(number(job.bytes.sum(), "bytes")?);
            chosen.push(job);
        }
        Ok(chosen)
    }

    fn is_old(&self, job: &Stored) -> Result<bool, crate::error::Error> {
        let ended_at = epoch(job.ended_at.ok_or_else(|| damaged("ended_at"))?, "ended_at")?;
        Ok(self.now.since(ended_at) >= self.retention.keep_for)
    }
}

/// See [`crate::Store::stored_bytes`].
pub(super) struct SumOfBytes;

impl Verb for SumOfBytes {
    type Output = u64;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<u64>, Failure> {
        let rows = link.ask(statements::BYTES, &[]).await?;
        link.done();
        sum(&rows).map(Done::nothing_new)
    }
}

fn sum(rows: &[Columns]) -> Result<u64, Failure> {
    let Some(row) = rows.first() else { return Ok(0) };
    column(row, 0).and_then(|stored: i64| number(stored, "bytes")).map_err(Failure::for_good)
}

/// See [`crate::Store::delete`].
pub(super) struct Delete<'a> {
    pub(super) ids: &'a [JobId],
}

impl Verb for Delete<'_> {
    type Output = Vec<JobId>;

    async fn run(&self, link: Link) -> Result<Done<Vec<JobId>>, Failure> {
        let ids: Vec<&[u8]> = self.ids.iter().map(|id| id.as_bytes().as_slice()).collect();
        let (mut tx, rows) = Tx::begin(link, statements::LOCK_SEVERAL, &[&ids]).await?;
        let there = jobs::all(&rows)?;
        jobs::delete(&mut tx, &there);
        let tidings = tx.end().await?;
        let is_there = |id: &&JobId| there.iter().any(|stored| stored.job.id == **id);
        Ok(Done { answer: in_order(self.ids.iter().filter(is_there)), tidings })
    }
}

/// Each of them once.
fn in_order<'a>(ids: impl Iterator<Item = &'a JobId>) -> Vec<JobId> {
    let mut seen = std::collections::HashSet::new();
    ids.filter(|id| seen.insert(**id)).copied().collect()
}
