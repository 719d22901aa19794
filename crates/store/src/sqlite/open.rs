//! Opens the file, and brings its schema up to date. Who serves shares the folder with others who do, because one
//! process hands over to the next; who replaces the file has it alone.

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

/// Every step of the schema.
pub(super) const MIGRATIONS: &[Migration] =
    &[Migration { number: 1, sql: include_str!("../../migrations/sqlite/0001_jobs.sql") }];

/// Says in the file's head whose it is ("PLIT").
pub(super) const APPLICATION_ID: i64 = 0x504c_4954;

/// Older ones can damage a file when its log is reset (sqlite.org/wal.html).
const OLDEST_SQLITE: i32 = 3_051_003;

/// Another process writes only while one hands over to the next, and never for long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Statements kept ready by each connection: more than there are.
const STATEMENT_CACHE: usize = 128;

/// Pages kept by the connection that writes, in KiB.
const WRITER_CACHE_KIB: i32 = 32 * 1024;

/// Pages kept by each connection that reads, in KiB; the system's own cache stands behind it.
const READER_CACHE_KIB: i32 = 8 * 1024;

/// Pages of the log at which the writer stops to carry it over into the file: 64 MiB. Before that it is done beside it.
const WAL_PAGES: i32 = 16 * 1024;

/// What is left of a log that had to grow, in bytes.
const WAL_BYTES: i32 = 64 * 1024 * 1024;

/// The store's file in its folder.
#[must_use]
pub fn file_in(folder: &Path) -> PathBuf {
    folder.join("pilotlight.db")
}

/// A claim to the folder.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Makes the folder where there is none, and shares it with whoever else serves it.
    pub(super) fn shared(folder: &Path) -> Result<Self, Error> {
        let file = Self::file(folder)?;
        let locked = file.try_lock_shared();
        Self::acquired(file, locked, folder)
    }

    /// The same, with nobody else.
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

    /// Why the disk takes nothing, if it can be told by writing there.
    pub(super) fn write_error(&self) -> Option<Error> {
        const PAGE: [u8; 4096] = [0; 4096];
        let mut file = &self.0;
        let written =
            file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&PAGE)).and_then(|()| file.sync_data());
        // What cannot be taken away again is 4 KiB.
        let _ = file.set_len(0);
        written.err().and_then(|error| from_io_kind(error.kind()))
    }
}

/// Nobody else's business on this machine.
pub(super) fn private_file_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// The connection that writes, to a file whose schema is up to date.
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

/// A connection that carries the log over.
pub(super) fn checkpointer(folder: &Path) -> Result<Connection, Error> {
    let db = connect(&file_in(folder), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    Ok(db)
}

/// A connection that reads what was committed.
pub(super) fn reader(folder: &Path) -> Result<Connection, Error> {
    let db = connect(&file_in(folder), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(db)
}

/// A connection as all have it. Nothing is mapped into memory: a disk's error there would be the process's end.
pub(super) fn connect(path: &Path, access: OpenFlags) -> Result<Connection, Error> {
    let db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // Plans do not depend on what is bound. Otherwise a statement beside a partial index is planned anew each time,
    // which takes three times as long as what it does.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.execute_batch("PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;")?;
    Ok(db)
}

fn assert_version() -> Result<(), Error> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        let why = format!("it needs SQLite 3.51.3 or newer, and this is {}", rusqlite::version());
        return Err(Error::Unavailable(why));
    }
    Ok(())
}

/// A file of somebody else's is left alone.
pub(super) fn assert_own_file(db: &Connection) -> Result<(), Error> {
    let application: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application == APPLICATION_ID || (application == 0 && is_empty(db)?) {
        return Ok(());
    }
    Err(Error::Corrupt("its file is a database of another program".to_owned()))
}

fn is_empty(db: &Connection) -> Result<bool, Error> {
    Ok(db.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?)
}

/// Brings the schema up to date, one transaction for each step. Its number stands in the file's head
/// (`user_version`), which is there before any table is.
fn migrate(db: &mut Connection) -> Result<(), Error> {
    let missing = migrations::missing(MIGRATIONS, schema(db)?)?;
    enable_wal(db)?;
    for migration in missing {
        let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if schema(&step)? >= migration.number {
            // Another process that began at the same time was here before.
            continue;
        }
        step.execute_batch(migration.sql)?;
        step.pragma_update(None, "user_version", migration.number)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.commit()?;
    }
    // A file that cannot be written is found out now, not with the first job.
    Ok(db.execute_batch("BEGIN IMMEDIATE; COMMIT")?)
}

/// The schema's number.
pub(super) fn schema(db: &Connection) -> Result<u32, Error> {
    Ok(db.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn enable_wal(db: &Connection) -> Result<(), Error> {
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::Unavailable(format!("its disk allows no write-ahead log, only `{mode}`")));
    }
    Ok(())
}
