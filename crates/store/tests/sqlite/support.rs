//! Temporary folders, small disks, and stores in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::job::{CacheMode, JobId, JobOptions};
use pilotlight_store::{Error, NewJob, Store, sqlite};
pub(crate) use pilotlight_testkit::store_fixtures::at;
use pilotlight_testkit::store_fixtures::{self, job_type};
use pilotlight_testkit::temp_dir::TempDir;

/// Mounts a small file system of `$kib` KiB. Skips the test when this process may not mount.
macro_rules! need_disk {
    ($kib:expr) => {
        match pilotlight_testkit::temp_dir::TempDir::mounted($kib) {
            Some(disk) => disk,
            None => return pilotlight_testkit::skip::skipped(&|| (), "no file system can be mounted"),
        }
    };
}
pub(crate) use need_disk;

/// The folder of the store, in the test's folder.
pub(crate) fn store_in(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

pub(crate) fn open(folder: &Path) -> Result<Arc<dyn Store>, Error> {
    let mut settings = store_fixtures::settings();
    settings.limits.console_bytes = 1024 * 1024;
    sqlite::Sqlite::open(folder, settings)
}

/// A submission with `bytes` bytes of parameters. Different numbers give different submissions.
pub(crate) fn submission(number: u64, bytes: usize) -> NewJob {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    let mut key = [0; 32];
    key[..8].copy_from_slice(&number.to_be_bytes());
    NewJob {
        id: JobId::new(at(0), random),
        job_type: job_type("render"),
        key: CacheKey::from_bytes(key),
        input: "x".repeat(bytes),
        options: JobOptions::default_at(at(0)),
        cache_mode: CacheMode::Reuse,
        idempotency_key: None,
    }
}
