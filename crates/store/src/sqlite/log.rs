//! Carries the write-ahead log over into the file while others write. It only takes work off the writer, who would
//! have to stop for it: whatever fails here, the writer does itself once the log is long.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::error::Error;

/// Verbs until the log is worth carrying over: some megabytes.
const VERBS: usize = 4096;

#[derive(Debug)]
pub(super) struct Carrier {
    nudge: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    verbs: usize,
}

impl Carrier {
    pub(super) fn start(db: Connection) -> Result<Self, Error> {
        let (nudge, nudged) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("store log".to_owned())
            .spawn(move || carry(&db, &nudged))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { nudge: Some(nudge), thread: Some(thread), verbs: 0 })
    }

    /// So many verbs were committed.
    pub(super) fn committed(&mut self, verbs: usize) {
        self.verbs += verbs;
        let Some(nudge) = self.nudge.as_ref().filter(|_| self.verbs >= VERBS) else { return };
        match nudge.try_send(()) {
            // Full: it is at work, and will be again.
            Ok(()) | Err(TrySendError::Full(())) => self.verbs = 0,
            Err(TrySendError::Disconnected(())) => self.nudge = None,
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.nudge = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn carry(db: &Connection, nudged: &Receiver<()>) {
    while nudged.recv().is_ok() {
        let _ = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    }
}
