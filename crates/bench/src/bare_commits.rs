//! The floor under everything that is durable: a bare group-commit loop. One writer thread takes whatever is queued,
//! writes a row for each, commits, and tells everybody.
//!
//! The same SQLite with the same promise (a write-ahead log, synced at every commit) as the store, without anything
//! that the store does besides: one table, one kind of row, no reads, no savepoints.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::folder::Folder;
use crate::series::quantile;

/// What a job's row is about.
const ROW_BYTES: usize = 400;
/// Rows in one commit at most, and rows that may wait for the next.
const MAX_BATCH: usize = 1_024;

/// One caller is to be told when a row of its own is on disk.
type WriteDone = oneshot::Sender<()>;

/// The loop, until it is dropped.
pub(crate) struct BareCommits {
    queue: SyncSender<WriteDone>,
    _folder: Folder,
}

impl BareCommits {
    pub(crate) fn open() -> Result<Self> {
        let folder = Folder::create()?;
        let database = open(&folder).context("open the bare database")?;
        let (queue, writes) = sync_channel(MAX_BATCH);
        // It ends when the queue does; whoever waits for a failed commit hears that nobody answers.
        thread::Builder::new().name("commits".into()).spawn(move || write_all(&database, &writes))?;
        Ok(Self { queue, _folder: folder })
    }

    /// Commits a second with so many callers that each wait for their own.
    pub(crate) async fn per_second(&self, callers: u64, window: Duration) -> Result<f64> {
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            tasks.spawn(commit_until(self.queue.clone(), start + window));
        }
        let mut waits = 0;
        while let Some(ended) = tasks.join_next().await {
            waits += ended??.len();
        }
        Ok(f64::from(u32::try_from(waits)?) / start.elapsed().as_secs_f64())
    }

    /// How long one commit takes when there is one caller: the median, in microseconds.
    pub(crate) async fn single_caller_us(&self, window: Duration) -> Result<f64> {
        let waits = commit_until(self.queue.clone(), Instant::now() + window).await?;
        quantile(waits, 0.5).context("no commit in a whole block")
    }
}

/// The waits of one caller, in microseconds.
async fn commit_until(queue: SyncSender<WriteDone>, end: Instant) -> Result<Vec<f64>> {
    let mut waits = Vec::new();
    let mut sent = Instant::now();
    while sent < end {
        let (done, committed) = oneshot::channel();
        // There is room: fewer callers than places.
        queue.send(done).map_err(|_| anyhow!("the bare writer ended"))?;
        committed.await.context("a bare commit failed")?;
        let answered = Instant::now();
        waits.push((answered - sent).as_secs_f64() * 1e6);
        sent = answered;
    }
    Ok(waits)
}

fn open(folder: &Folder) -> rusqlite::Result<Connection> {
    let database = Connection::open(folder.path().join("bare.db"))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB NOT NULL)", [])?;
    Ok(database)
}

/// Ends at the first error, or when nobody can ask any more.
fn write_all(database: &Connection, writes: &Receiver<WriteDone>) -> rusqlite::Result<()> {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    while let Ok(first) = writes.recv() {
        batch.push(first);
        batch.extend(writes.try_iter().take(MAX_BATCH - 1));
        commit(database, batch.len())?;
        for write in batch.drain(..) {
            write.send(()).ok();
        }
    }
    Ok(())
}

fn commit(database: &Connection, rows: usize) -> rusqlite::Result<()> {
    database.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut insert = database.prepare_cached("INSERT INTO row (body) VALUES (?1)")?;
    for _ in 0..rows {
        insert.execute([&[7_u8; ROW_BYTES][..]])?;
    }
    database.prepare_cached("COMMIT")?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_acknowledged_commit_is_on_disk() -> Result<()> {
        let commits = BareCommits::open()?;
        let committed =
            commit_until(commits.queue.clone(), Instant::now() + Duration::from_millis(50)).await?;
        let database = Connection::open(commits._folder.path().join("bare.db"))?;
        let rows: i64 = database.query_row("SELECT count(*) FROM row", [], |row| row.get(0))?;
        assert_eq!(usize::try_from(rows)?, committed.len());
        Ok(())
    }
}
