//! Backup and restore of a store. A backup can be made while a service uses the store, because it only reads. A restore
//! takes an exclusive lock on the folder.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::error::from_disk_error;
use super::open::{self, Lock};
use crate::error::Error;
use crate::migrations;

/// What a restore does with an existing store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreMode {
    /// Keeps it and fails.
    KeepExisting,
    /// Replaces it; its jobs are lost.
    ReplaceExisting,
}

/// Writes a copy of the store in this folder to a file that must not exist yet. The copy is complete and on disk when
/// this returns `Ok`; a failed backup deletes its incomplete file.
///
/// # Errors
/// [`Error::Unavailable`] when there is no store, or the file already exists; [`Error::DiskFull`] and
/// [`Error::ReadOnly`] when the file cannot be written.
pub fn backup(folder: &Path, to: &Path) -> Result<(), Error> {
    let from = open::file_in(folder);
    if !from.exists() {
        return Err(Error::Unavailable(format!("there is no store in {}", folder.display())));
    }
    let db = open::connect(&from, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    open::assert_own_file(&db)?;
    open::private_file_options().create_new(true).open(to).map_err(|error| from_disk_error(&error, to))?;
    let copied = copy(&db, to);
    if copied.is_err() {
        let _ = std::fs::remove_file(to);
    }
    copied
}

fn copy(db: &Connection, to: &Path) -> Result<(), Error> {
    let name = to.to_str().ok_or_else(|| Error::Unavailable("the file's name is not UTF-8".to_owned()))?;
    db.execute("VACUUM INTO ?1", [name])?;
    sync_to_disk(to)
}

/// Restores a backup as the store in this folder.
///
/// # Errors
/// [`Error::InUse`] while a service uses the store; [`Error::Unavailable`] when a store exists and must be kept;
/// [`Error::Corrupt`] when the file is not a backup or is incomplete; [`Error::SchemaTooNew`] when a newer program has
/// written it.
pub fn restore(from: &Path, folder: &Path, existing: RestoreMode) -> Result<(), Error> {
    verify_backup(from)?;
    let lock = Lock::exclusive(folder)?;
    let store = open::file_in(folder);
    if existing == RestoreMode::KeepExisting && store.exists() {
        return Err(Error::Unavailable(format!("there is a store in {} already", folder.display())));
    }
    let temporary = folder.join("pilotlight.restoring");
    remove(&temporary)?;
    copy_synced(from, &temporary)?;
    delete_wal(folder)?;
    std::fs::rename(&temporary, &store).map_err(|error| from_disk_error(&error, &store))?;
    sync_to_disk(folder)?;
    drop(lock);
    Ok(())
}

/// Deletes the write-ahead log of the old store, which SQLite would otherwise apply to the new file. Checkpoints it
/// into the old file first: if the restore stops after this, the old store is still complete.
fn delete_wal(folder: &Path) -> Result<(), Error> {
    if let Ok(old) = open::connect(&open::file_in(folder), OpenFlags::SQLITE_OPEN_READ_WRITE) {
        // A checkpoint may fail on a damaged store, which is a reason to replace it.
        let _ = old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
    remove(&folder.join("pilotlight.db-wal"))?;
    remove(&folder.join("pilotlight.db-shm"))
}

fn copy_synced(from: &Path, temporary: &Path) -> Result<(), Error> {
    let disk = |error: std::io::Error| from_disk_error(&error, temporary);
    let mut to = open::private_file_options().create_new(true).open(temporary).map_err(disk)?;
    let mut from = File::open(from).map_err(|error| from_disk_error(&error, from))?;
    std::io::copy(&mut from, &mut to).map_err(disk)?;
    to.sync_all().map_err(disk)
}

fn remove(path: &PathBuf) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(from_disk_error(&error, path)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_to_disk(path: &Path) -> Result<(), Error> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| from_disk_error(&error, path))
}

/// Checks that the file is a complete backup that this program can read.
fn verify_backup(from: &Path) -> Result<(), Error> {
    let db = open::connect(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    open::assert_own_file(&db)?;
    if open::schema(&db)? == 0 {
        return Err(Error::Corrupt("the backup is empty".to_owned()));
    }
    migrations::missing(open::MIGRATIONS, open::schema(&db)?)?;
    let verdict: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(Error::Corrupt(verdict)) }
}
