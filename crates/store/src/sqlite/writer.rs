//! The one thread that writes. It takes whatever waits, makes one transaction of it with a savepoint for each verb,
//! commits, and only then answers: with many callers one sync of the disk serves them all. When the transaction does
//! not come about, nothing of it has happened, everybody in it is told so, and the next one is tried afresh.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpointer;
use super::counters::Delta;
use super::error::copy_of;
use super::open::Lock;
use super::tx::Tx;
use crate::error::Error;
use crate::records::Settings;

/// Verbs in one transaction: enough for one sync to be shared by many, few enough that nobody waits long for it.
const BATCH_SIZE: usize = 256;

/// Verbs that wait for the next transaction. Beyond it, callers wait for a place.
const QUEUE_SIZE: usize = 256;

#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn StoreOperation>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        db: Connection,
        checkpointer: Checkpointer,
        settings: Settings,
        lock: Lock,
    ) -> Result<Self, Error> {
        let (queue, operations) = mpsc::channel(QUEUE_SIZE);
        let writer_thread = WriterThread { db, checkpointer, settings, lock };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer_thread.run(operations))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Does this in a transaction; it has happened when this returns, or it has not.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let pending: Box<dyn StoreOperation> =
            Box::new(PendingWrite { operation: Some(operation), outcome: None, reply: Some(reply) });
        let queue = self.queue.as_ref().ok_or_else(writer_ended)?;
        queue.send(pending).await.map_err(|_| writer_ended())?;
        answer.await.map_err(|_| writer_ended())?
    }
}

impl Drop for Writer {
    /// What waits is still written; then the log is carried over and the file closed.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn writer_ended() -> Error {
    Error::Unavailable("its writer has ended".to_owned())
}

/// Something to be done in a transaction, and somebody who waits for it.
trait StoreOperation: Send {
    /// Does it, and keeps what came of it. Says whether it may stay.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Error>;

    /// The transaction did not come about.
    fn fail(&mut self, why: &Error);

    /// Tells who waits.
    fn send_reply(&mut self);
}

struct PendingWrite<F, T> {
    operation: Option<F>,
    outcome: Option<Result<T, Error>>,
    reply: Option<oneshot::Sender<Result<T, Error>>>,
}

impl<F, T: Send> StoreOperation for PendingWrite<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let Some(operation) = self.operation.take() else { return Ok(()) };
        // A verb's own mistake is its caller's, not everybody's: its savepoint is undone, and the thread goes on.
        let outcome = catch_unwind(AssertUnwindSafe(|| operation(tx)))
            .unwrap_or_else(|_| Err(Error::Unavailable("the verb panicked; nothing has changed".to_owned())));
        let status = outcome.as_ref().map(|_| ()).map_err(copy_of);
        self.outcome = Some(outcome);
        status
    }

    fn fail(&mut self, why: &Error) {
        self.outcome = Some(Err(copy_of(why)));
    }

    fn send_reply(&mut self) {
        if let Some((reply, outcome)) = self.reply.take().zip(self.outcome.take()) {
            // Nobody waits any more: it has happened all the same.
            let _ = reply.send(outcome);
        }
    }
}

/// What the thread has.
struct WriterThread {
    db: Connection,
    checkpointer: Checkpointer,
    settings: Settings,
    /// Held as long as anything is written.
    lock: Lock,
}

impl WriterThread {
    fn run(mut self, mut operations: mpsc::Receiver<Box<dyn StoreOperation>>) {
        let mut batch = Vec::with_capacity(BATCH_SIZE);
        while operations.blocking_recv_many(&mut batch, BATCH_SIZE) > 0 {
            if let Err(error) = self.transact(&mut batch) {
                let why = self.disk_error(error);
                self.roll_back();
                batch.iter_mut().for_each(|operation| operation.fail(&why));
            }
            self.checkpointer.committed(batch.len());
            batch.drain(..).for_each(|mut operation| operation.send_reply());
        }
        drop(self.checkpointer);
        // Not needed for what was answered: it is on disk. It makes the next start quicker.
        let _ = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    fn transact(&self, batch: &mut [Box<dyn StoreOperation>]) -> Result<(), Error> {
        self.execute("BEGIN IMMEDIATE")?;
        let (mut total, initial_sums) = (Delta::default(), Cell::new(None));
        for operation in batch {
            self.execute("SAVEPOINT verb")?;
            let mut tx = Tx {
                db: &self.db,
                settings: &self.settings,
                delta: Delta::default(),
                initial_sums: &initial_sums,
                batch_sums: total.sums,
            };
            match operation.run(&mut tx) {
                Ok(()) => total.add(tx.delta),
                Err(error) => self.roll_back_operation(error)?,
            }
            self.execute("RELEASE verb")?;
        }
        total.write(&self.db)?;
        self.execute("COMMIT")
    }

    /// Undoes one verb. Some failures, such as a full disk, have undone the whole transaction by themselves.
    fn roll_back_operation(&self, error: Error) -> Result<(), Error> {
        if self.db.is_autocommit() {
            return Err(error);
        }
        self.execute("ROLLBACK TO verb")
    }

    fn roll_back(&self) {
        if !self.db.is_autocommit() {
            // Should it fail, the next transaction cannot begin, and says so.
            let _ = self.execute("ROLLBACK");
        }
    }

    /// SQLite does not tell a read-only disk from a broken one.
    fn disk_error(&self, error: Error) -> Error {
        match error {
            Error::Database(_) => self.lock.write_error().unwrap_or(error),
            Error::DiskFull
            | Error::ReadOnly
            | Error::Unavailable(_)
            | Error::SchemaTooNew { .. }
            | Error::InUse
            | Error::Corrupt(_) => error,
        }
    }

    fn execute(&self, sql: &str) -> Result<(), Error> {
        self.db.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}
