//! The store under test. Its folder is in memory when the machine has such a file system: the simulation checks the
//! stored data, not the disk.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pilotlight_core::job::JobId;
use pilotlight_core::time::Timestamp;
use pilotlight_store::sqlite::Sqlite;
use pilotlight_store::{Limits, Store};

use crate::jobs::event::Settings;
use crate::jobs::violation::JobViolation;

/// Start of every history in epoch milliseconds. It is large enough that no time is before 1970.
const START_MS: u64 = 1_700_000_000_000;

const MEMORY_FOLDER: &str = "/dev/shm";

/// Converts a time of the history to wall-clock time.
pub(super) const fn timestamp(at: u64) -> Timestamp {
    Timestamp::from_millis(START_MS + at)
}

/// Converts wall-clock time to a time of the history.
pub(super) const fn history_ms(at: Timestamp) -> u64 {
    at.as_millis() - START_MS
}

#[derive(Debug)]
pub(super) struct TestStore {
    settings: Settings,
    store: Option<Arc<dyn Store>>,
    folder: PathBuf,
    ids: HashMap<u32, JobId>,
}

impl TestStore {
    pub(super) fn new(settings: Settings) -> Self {
        let folder = new_folder();
        let store = open(&folder, settings).expect("an empty store opens");
        Self { settings, store: Some(store), folder, ids: HashMap::new() }
    }

    pub(super) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.store.as_ref().expect("the store is open between two events"))
    }

    /// The job's id, if the store returned it before.
    pub(super) fn id_of(&self, job: u32) -> Option<JobId> {
        self.ids.get(&job).copied()
    }

    pub(super) fn remember_id(&mut self, job: u32, id: JobId) {
        self.ids.insert(job, id);
    }

    /// Closes the store and opens its files again.
    pub(super) fn restart(&mut self) -> Result<(), JobViolation> {
        self.store = None;
        self.store = Some(open(&self.folder, self.settings)?);
        Ok(())
    }
}

impl Drop for TestStore {
    fn drop(&mut self) {
        self.store = None;
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn open(folder: &Path, settings: Settings) -> Result<Arc<dyn Store>, pilotlight_store::Error> {
    let settings = pilotlight_store::Settings {
        policy: settings.policy(),
        webhook_types: Arc::new(HashSet::new()),
        limits: Limits { console_bytes: settings.console_bytes },
        queue_limits: settings.queue_limits,
    };
    Sqlite::open(folder, settings)
}

fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let memory = Path::new(MEMORY_FOLDER);
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = parent.join(format!("pilotlight-sim-{}-{count}", std::process::id()));
    fs::remove_dir_all(&folder).ok();
    folder
}
