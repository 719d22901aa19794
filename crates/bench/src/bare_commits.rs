//! The floor for durable work: a bare group-commit loop. One writer thread takes all queued writes, inserts one row for
//! each, commits, and notifies their callers.
//!
//! It uses SQLite with the durability of the store (a write-ahead log, synced at every commit), and nothing else that
//! the store does: one table, one kind of row, no reads, no savepoints.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::folder::Folder;
use crate::series::quantile;

/// About the size of a job's row.
const ROW_BYTES: usize = 400;
/// Most rows in one commit, and most writes queued for the next commit.
const MAX_BATCH: usize = 1_024;

/// Notifies a caller that its row is on disk.
type WriteDone = oneshot::Sender<()>;

/// The running loop; dropping it ends the writer thread.
pub(crate) struct BareCommits {
    queue: SyncSender<WriteDone>,
    _folder: Folder,
}

impl BareCommits {
    pub(crate) fn open() -> Result<Self> {
        let folder = Folder::create()?;
        let database = open(&folder).context("open the bare database")?;
        let (queue, writes) = sync_channel(MAX_BATCH);
        // The thread ends when the queue is dropped, or at a failed commit, whose callers see their channels close.
        thread::Builder::new().name("commits".into()).spawn(move || write_all(&database, &writes))?;
        Ok(Self { queue, _folder: folder })
    }

    /// Commits per second with this many callers, each of which waits for its own commit.
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

    /// The median time of one commit with a single caller, in microseconds.
    pub(crate) async fn single_caller_us(&self, window: Duration) -> Result<f64> {
        let waits = commit_until(self.queue.clone(), Instant::now() + window).await?;
        quantile(waits, 0.5).context("no commit was measured")
    }
}

/// Commits until `end`; returns the wait for each commit, in microseconds.
async fn commit_until(queue: SyncSender<WriteDone>, end: Instant) -> Result<Vec<f64>> {
    let mut waits = Vec::new();
    let mut sent = Instant::now();
    while sent < end {
        let (done, committed) = oneshot::channel();
        // This does not block: there are fewer callers than places in the queue.
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

/// Commits queued writes until the first error, or until all senders are dropped.
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
