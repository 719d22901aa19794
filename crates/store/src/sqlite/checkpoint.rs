//! Carries the write-ahead log over into the file while others write. It only takes work off the writer, who would
//! have to stop for it: whatever fails here, the writer does itself once the log is long.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::error::Error;

/// Verbs until the log is worth carrying over: some megabytes.
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

    /// So many verbs were committed.
    pub(super) fn committed(&mut self, operations: usize) {
        self.operations += operations;
        let Some(nudge) = self.nudge.as_ref().filter(|_| self.operations >= OPERATIONS_PER_CHECKPOINT) else {
            return;
        };
        match nudge.try_send(()) {
            // Full: it is at work, and will be again.
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
