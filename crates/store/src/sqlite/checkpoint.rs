//! Background checkpointer: copies the write-ahead log into the database file while the writer continues. It only saves
//! the writer this pause: when a checkpoint fails here, the writer checkpoints itself once the log is long enough.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::error::Error;

/// Committed operations between two checkpoints: some megabytes of log.
const OPERATIONS_PER_CHECKPOINT: usize = 4096;

#[derive(Debug)]
pub(super) struct Checkpointer {
    nudge: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    operations: usize,
}

impl Checkpointer {
    pub(super) fn start(db: Connection) -> Result<Self, Error> {
        let (nudge, nudges) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("store log".to_owned())
            .spawn(move || run_checkpoints(&db, &nudges))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { nudge: Some(nudge), thread: Some(thread), operations: 0 })
    }

    /// Counts committed operations; starts a checkpoint after [`OPERATIONS_PER_CHECKPOINT`] of them.
    pub(super) fn committed(&mut self, operations: usize) {
        self.operations += operations;
        let Some(nudge) = self.nudge.as_ref().filter(|_| self.operations >= OPERATIONS_PER_CHECKPOINT) else {
            return;
        };
        match nudge.try_send(()) {
            // Full: a checkpoint is running and another one is already queued.
            Ok(()) | Err(TrySendError::Full(())) => self.operations = 0,
            Err(TrySendError::Disconnected(())) => self.nudge = None,
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.nudge = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run_checkpoints(db: &Connection, nudges: &Receiver<()>) {
    while nudges.recv().is_ok() {
        let _ = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}
