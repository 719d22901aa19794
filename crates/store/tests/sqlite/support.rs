//! Temporary folders, small disks, and stores in them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{CacheMode, JobId, JobOptions, JobPolicy, QueueLimits};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Error, Limits, NewJob, Settings, Store, sqlite};

/// A temporary folder, deleted on drop.
pub(crate) struct Folder {
    path: PathBuf,
    is_disk: bool,
}

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pilotlight-sqlite-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self { path, is_disk: false }
    }

    /// A folder on a disk of its own, of `kib` KiB. When none can be mounted, prints a line and returns `None`.
    pub(crate) fn disk(kib: u32) -> Option<Self> {
        let mut folder = Self::new();
        let options = format!("size={kib}k");
        folder.is_disk = mount(&["-t", "tmpfs", "-o", &options, "pilotlight", folder.text()]);
        if !folder.is_disk {
            eprintln!("skipped: no disk can be mounted here");
            return None;
        }
        Some(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The store's folder inside this folder.
    pub(crate) fn store(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(crate) fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_disk {
            let _ = Command::new("umount").args(["-l", self.text()]).status();
        }
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Runs `mount` with these arguments. Returns whether it succeeded.
pub(crate) fn mount(arguments: &[&str]) -> bool {
    let output = Command::new("mount").args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

pub(crate) fn open(folder: &Path) -> Result<Arc<dyn Store>, Error> {
    let settings = Settings {
        policy: JobPolicy {
            heartbeat_timeout: Duration::from_secs(90),
            start_timeout: Duration::from_secs(2),
            lost_retries: 3,
            failed_ttl: Duration::from_secs(600),
        },
        webhook_types: Arc::new(HashSet::new()),
        limits: Limits { console_bytes: 1024 * 1024 },
        queue_limits: QueueLimits::default(),
    };
    sqlite::Sqlite::open(folder, settings)
}

/// A submission with `bytes` bytes of parameters; different for each number.
pub(crate) fn submission(number: u64, bytes: usize) -> NewJob {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    NewJob {
        id: JobId::new(at(0), random),
        job_type: JobType::parse("render").unwrap(),
        key: CacheKey::from_bytes(key),
        input: "x".repeat(bytes),
        options: JobOptions::default_at(at(0)),
        cache_mode: CacheMode::Reuse,
        idempotency_key: None,
    }
}

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}
