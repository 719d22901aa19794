//! The one thread that writes. It takes whatever waits, makes one transaction of it with a savepoint for each verb,
//! commits, and only then answers: with many callers one sync of the disk serves them all. When the transaction does
//! not come about, nothing of it has happened, everybody in it is told so, and the next one is tried afresh.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::again;
use super::log::Carrier;
use super::open::Lock;
use super::tally::Delta;
use super::tx::Tx;
use crate::error::Error;
use crate::records::Settings;

/// Verbs in one transaction: enough for one sync to be shared by many, few enough that nobody waits long for it.
const TOGETHER: usize = 256;

/// Verbs that wait for the next transaction. Beyond it, callers wait for a place.
const WAITING: usize = 256;

#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Verb>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        db: Connection,
        carrier: Carrier,
        settings: Settings,
        lock: Lock,
    ) -> Result<Self, Error> {
        let (queue, waiting) = mpsc::channel(WAITING);
        let desk = Desk { db, carrier, settings, lock };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || desk.work(waiting))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Does this in a transaction; it has happened when this returns, or it has not.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let asked: Box<dyn Verb> = Box::new(Asked { verb: Some(verb), outcome: None, reply: Some(reply) });
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.send(asked).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
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

fn gone() -> Error {
    Error::Unavailable("its writer has ended".to_owned())
}

/// Something to be done in a transaction, and somebody who waits for it.
trait Verb: Send {
    /// Does it, and keeps what came of it. Says whether it may stay.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Error>;

    /// The transaction did not come about.
    fn lose(&mut self, why: &Error);

    /// Tells who waits.
    fn answer(&mut self);
}

struct Asked<F, T> {
    verb: Option<F>,
    outcome: Option<Result<T, Error>>,
    reply: Option<oneshot::Sender<Result<T, Error>>>,
}

impl<F, T: Send> Verb for Asked<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let Some(verb) = self.verb.take() else { return Ok(()) };
        // A verb's own mistake is its caller's, not everybody's: its savepoint is undone, and the thread goes on.
        let outcome = catch_unwind(AssertUnwindSafe(|| verb(tx)))
            .unwrap_or_else(|_| Err(Error::Unavailable("the verb panicked; nothing has changed".to_owned())));
        let seen = outcome.as_ref().map(|_| ()).map_err(again);
        self.outcome = Some(outcome);
        seen
    }

    fn lose(&mut self, why: &Error) {
        self.outcome = Some(Err(again(why)));
    }

    fn answer(&mut self) {
        if let Some((reply, outcome)) = self.reply.take().zip(self.outcome.take()) {
            // Nobody waits any more: it has happened all the same.
            let _ = reply.send(outcome);
        }
    }
}

/// What the thread has.
struct Desk {
    db: Connection,
    carrier: Carrier,
    settings: Settings,
    /// Held as long as anything is written.
    lock: Lock,
}

impl Desk {
    fn work(mut self, mut waiting: mpsc::Receiver<Box<dyn Verb>>) {
        let mut batch = Vec::with_capacity(TOGETHER);
        while waiting.blocking_recv_many(&mut batch, TOGETHER) > 0 {
            if let Err(error) = self.transact(&mut batch) {
                let why = self.why(error);
                self.roll_back();
                batch.iter_mut().for_each(|verb| verb.lose(&why));
            }
            self.carrier.committed(batch.len());
            batch.drain(..).for_each(|mut verb| verb.answer());
        }
        drop(self.carrier);
        // Not needed for what was answered: it is on disk. It makes the next start quicker.
        let _ = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    fn transact(&self, batch: &mut [Box<dyn Verb>]) -> Result<(), Error> {
        self.say("BEGIN IMMEDIATE")?;
        let (mut sum, sums_at_first) = (Delta::default(), Cell::new(None));
        for verb in batch {
            self.say("SAVEPOINT verb")?;
            let mut tx = Tx {
                db: &self.db,
                settings: &self.settings,
                delta: Delta::default(),
                sums_at_first: &sums_at_first,
                sums_before: sum.sums,
            };
            match verb.run(&mut tx) {
                Ok(()) => sum.add(tx.delta),
                Err(error) => self.undo(error)?,
            }
            self.say("RELEASE verb")?;
        }
        sum.write(&self.db)?;
        self.say("COMMIT")
    }

    /// Undoes one verb. Some failures, such as a full disk, have undone the whole transaction by themselves.
    fn undo(&self, error: Error) -> Result<(), Error> {
        if self.db.is_autocommit() {
            return Err(error);
        }
        self.say("ROLLBACK TO verb")
    }

    fn roll_back(&self) {
        if !self.db.is_autocommit() {
            // Should it fail, the next transaction cannot begin, and says so.
            let _ = self.say("ROLLBACK");
        }
    }

    /// SQLite does not tell a read-only disk from a broken one.
    fn why(&self, error: Error) -> Error {
        match error {
            Error::Database(_) => self.lock.why_not_written().unwrap_or(error),
            Error::DiskFull
            | Error::ReadOnly
            | Error::Unavailable(_)
            | Error::SchemaTooNew { .. }
            | Error::InUse
            | Error::Corrupt(_) => error,
        }
    }

    fn say(&self, sql: &str) -> Result<(), Error> {
        self.db.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}
