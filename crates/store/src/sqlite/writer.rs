//! The only thread that writes. It takes all waiting operations, runs them in one transaction with a savepoint for each
//! operation, commits, and only then replies: many callers share one sync of the disk. When the transaction fails,
//! none of its operations has changed anything, each of its callers gets the error, and the thread continues with the
//! next transaction.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpointer;
use super::counters::SqliteCounterChanges;
use super::error::copy_of;
use super::open::Lock;
use super::tx::SqliteTx;
use crate::error::Error;
use crate::records::Settings;

/// Operations in one transaction: enough that many callers share one sync, few enough that no caller waits long.
const BATCH_SIZE: usize = 256;

/// Operations that wait for the next transaction. When the queue is full, callers wait until it has space.
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

    /// Runs an operation in a transaction. It is committed when this returns `Ok`; it has changed nothing when this
    /// returns an error.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut SqliteTx<'_>) -> Result<T, Error> + Send + 'static,
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
    /// Blocks until the queued operations are committed, the write-ahead log is checkpointed and the file is closed.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn writer_ended() -> Error {
    Error::Unavailable("its writer thread has ended".to_owned())
}

/// An operation to be run in a transaction, and the caller that waits for its outcome.
trait StoreOperation: Send {
    /// Runs the operation and stores its outcome for the reply. An error means that its savepoint must be rolled back.
    fn run(&mut self, tx: &mut SqliteTx<'_>) -> Result<(), Error>;

    /// Replaces the outcome by this error, because the transaction failed.
    fn fail(&mut self, why: &Error);

    /// Sends the outcome to the caller.
    fn send_reply(&mut self);
}

struct PendingWrite<F, T> {
    operation: Option<F>,
    outcome: Option<Result<T, Error>>,
    reply: Option<oneshot::Sender<Result<T, Error>>>,
}

impl<F, T: Send> StoreOperation for PendingWrite<F, T>
where
    F: FnOnce(&mut SqliteTx<'_>) -> Result<T, Error> + Send,
{
    fn run(&mut self, tx: &mut SqliteTx<'_>) -> Result<(), Error> {
        let Some(operation) = self.operation.take() else { return Ok(()) };
        // A panic fails only its own operation: the savepoint is rolled back, and the thread continues.
        let outcome = catch_unwind(AssertUnwindSafe(|| operation(tx))).unwrap_or_else(|_| {
            Err(Error::Unavailable("the operation panicked; nothing has changed".to_owned()))
        });
        let status = outcome.as_ref().map(|_| ()).map_err(copy_of);
        self.outcome = Some(outcome);
        status
    }

    fn fail(&mut self, why: &Error) {
        self.outcome = Some(Err(copy_of(why)));
    }

    fn send_reply(&mut self) {
        if let Some((reply, outcome)) = self.reply.take().zip(self.outcome.take()) {
            // The send fails when the caller no longer waits. The operation is committed nevertheless.
            let _ = reply.send(outcome);
        }
    }
}

/// The state of the writer thread.
struct WriterThread {
    db: Connection,
    checkpointer: Checkpointer,
    settings: Settings,
    /// Locks the folder as long as the thread runs.
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
        // Committed data is already on disk. The checkpoint makes the next start faster.
        let _ = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    fn transact(&self, batch: &mut [Box<dyn StoreOperation>]) -> Result<(), Error> {
        self.execute("BEGIN IMMEDIATE")?;
        let (mut total, initial_sums) = (SqliteCounterChanges::default(), Cell::new(None));
        for operation in batch {
            self.execute("SAVEPOINT operation")?;
            let mut tx = SqliteTx {
                db: &self.db,
                settings: &self.settings,
                counter_changes: SqliteCounterChanges::default(),
                initial_sums: &initial_sums,
                batch_sums: total.sums,
            };
            match operation.run(&mut tx) {
                Ok(()) => total.add(tx.counter_changes),
                Err(error) => self.roll_back_operation(error)?,
            }
            self.execute("RELEASE operation")?;
        }
        total.write(&self.db)?;
        self.execute("COMMIT")
    }

    /// Rolls back one operation. After some errors, such as a full disk, SQLite has already rolled back the whole
    /// transaction; then the error is returned.
    fn roll_back_operation(&self, error: Error) -> Result<(), Error> {
        if self.db.is_autocommit() {
            return Err(error);
        }
        self.execute("ROLLBACK TO operation")
    }

    fn roll_back(&self) {
        if !self.db.is_autocommit() {
            // If this fails, the next `BEGIN` fails too and reports the error.
            let _ = self.execute("ROLLBACK");
        }
    }

    /// The error as the callers get it. SQLite reports a disk that became full or read-only only as an I/O error; a
    /// test write to the lock file finds the cause.
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
