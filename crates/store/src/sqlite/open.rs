//! Opens the database file and brings its schema up to date. A service takes a shared lock on the folder, because two
//! processes have the store open while one hands over to the next; a restore, which replaces the file, takes the lock
//! exclusively.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::{from_disk_error, from_io_kind};
use crate::error::Error;
use crate::migrations::{self, Migration};

/// All migrations.
pub(super) const MIGRATIONS: &[Migration] =
    &[Migration { number: 1, sql: include_str!("../../migrations/sqlite/0001_jobs.sql") }];

/// Identifies the file as this program's ("PLIT" in ASCII), in the SQLite header.
pub(super) const APPLICATION_ID: i64 = 0x504c_4954;

/// The oldest accepted version of SQLite. Older ones can damage a file when its write-ahead log is reset
/// (sqlite.org/wal.html).
const OLDEST_SQLITE: i32 = 3_051_003;

/// How long a statement waits for a lock of another process. Another process writes only during a handover, and only
/// briefly.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements that each connection caches: more than this crate has.
const STATEMENT_CACHE: usize = 128;

/// Page cache of the writing connection, in KiB.
const WRITER_CACHE_KIB: i32 = 32 * 1024;

/// Page cache of each reading connection, in KiB; the operating system caches the file as well.
const READER_CACHE_KIB: i32 = 8 * 1024;

/// Length of the write-ahead log, in pages, at which the writer itself checkpoints it: 64 MiB. Below that the
/// [`super::checkpoint::Checkpointer`] does it in the background.
const WAL_PAGES: i32 = 16 * 1024;

/// The size to which a longer write-ahead log is truncated after a checkpoint, in bytes.
const WAL_BYTES: i32 = 64 * 1024 * 1024;

/// The path of the database file in the store's folder.
#[must_use]
pub fn file_in(folder: &Path) -> PathBuf {
    folder.join("pilotlight.db")
}

/// A lock on the folder; released on drop.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Creates the folder if it does not exist, and takes a shared lock: other services may have one too.
    pub(super) fn shared(folder: &Path) -> Result<Self, Error> {
        let file = Self::file(folder)?;
        let locked = file.try_lock_shared();
        Self::acquired(file, locked, folder)
    }

    /// Creates the folder if it does not exist, and takes an exclusive lock.
    pub(super) fn exclusive(folder: &Path) -> Result<Self, Error> {
        let file = Self::file(folder)?;
        let locked = file.try_lock();
        Self::acquired(file, locked, folder)
    }

    fn file(folder: &Path) -> Result<File, Error> {
        let disk = |error: std::io::Error| from_disk_error(&error, folder);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(disk)?;
        private_file_options().create(true).truncate(false).open(folder.join("pilotlight.lock")).map_err(disk)
    }

    fn acquired(file: File, locked: Result<(), TryLockError>, folder: &Path) -> Result<Self, Error> {
        match locked {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::InUse),
            Err(TryLockError::Error(error)) => Err(from_disk_error(&error, folder)),
        }
    }

    /// Finds out why the disk cannot be written, by writing 4 KiB to the lock file. `None` when that succeeds or fails
    /// for another reason.
    pub(super) fn write_error(&self) -> Option<Error> {
        const PAGE: [u8; 4096] = [0; 4096];
        let mut file = &self.0;
        let written =
            file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&PAGE)).and_then(|()| file.sync_data());
        // If truncating fails, 4 KiB stay in the file.
        let _ = file.set_len(0);
        written.err().and_then(|error| from_io_kind(error.kind()))
    }
}

/// Options for files that only their owner may read.
pub(super) fn private_file_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Opens the writing connection; creates the file and brings its schema up to date.
pub(super) fn writer(folder: &Path) -> Result<Connection, Error> {
    assert_version()?;
    let path = file_in(folder);
    private_file_options()
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| from_disk_error(&error, &path))?;
    let mut db = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.execute_batch(&format!(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -{WRITER_CACHE_KIB}; \
         PRAGMA wal_autocheckpoint = {WAL_PAGES}; PRAGMA journal_size_limit = {WAL_BYTES};"
    ))?;
    assert_own_file(&db)?;
    migrate(&mut db)?;
    Ok(db)
}

/// Opens the connection that checkpoints the write-ahead log.
pub(super) fn checkpointer(folder: &Path) -> Result<Connection, Error> {
    let db = connect(&file_in(folder), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    Ok(db)
}

/// Opens a read-only connection, which sees only committed data.
pub(super) fn reader(folder: &Path) -> Result<Connection, Error> {
    let db = connect(&file_in(folder), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(db)
}

/// Opens a connection with the settings that all connections share. Memory mapping is off: a disk error in mapped
/// memory would end the process.
pub(super) fn connect(path: &Path, access: OpenFlags) -> Result<Connection, Error> {
    let db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // Query plans must not depend on bound values. Otherwise SQLite plans a statement that could use a partial index
    // anew for each execution, which takes three times as long as the execution.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.execute_batch("PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;")?;
    Ok(db)
}

fn assert_version() -> Result<(), Error> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        let why = format!("SQLite 3.51.3 or newer is needed, and this is {}", rusqlite::version());
        return Err(Error::Unavailable(why));
    }
    Ok(())
}

/// Refuses the database file of another program.
pub(super) fn assert_own_file(db: &Connection) -> Result<(), Error> {
    let application: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application == APPLICATION_ID || (application == 0 && is_empty(db)?) {
        return Ok(());
    }
    Err(Error::Corrupt("its file is the database of another program".to_owned()))
}

fn is_empty(db: &Connection) -> Result<bool, Error> {
    Ok(db.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?)
}

/// Brings the schema up to date, one transaction for each migration. The schema number is in the SQLite header
/// (`user_version`), which exists before any table does.
fn migrate(db: &mut Connection) -> Result<(), Error> {
    let missing = migrations::missing(MIGRATIONS, schema(db)?)?;
    enable_wal(db)?;
    for migration in missing {
        let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if schema(&step)? >= migration.number {
            // Another process that started at the same time has already run this migration.
            continue;
        }
        step.execute_batch(migration.sql)?;
        step.pragma_update(None, "user_version", migration.number)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.commit()?;
    }
    // Detects a file that cannot be written now, not with the first job.
    Ok(db.execute_batch("BEGIN IMMEDIATE; COMMIT")?)
}

/// The schema number of the file; 0 for an empty one.
pub(super) fn schema(db: &Connection) -> Result<u32, Error> {
    Ok(db.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn enable_wal(db: &Connection) -> Result<(), Error> {
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::Unavailable(format!(
            "its file system supports no write-ahead log (the journal mode is `{mode}`)"
        )));
    }
    Ok(())
}
