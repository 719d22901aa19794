//! Converts the errors of SQLite and the file system to [`Error`].

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::Error;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(code) => from_sqlite_code(code, error),
            None if is_corrupt_value(&error) => Self::Corrupt(error.to_string()),
            None => Self::Database(Box::new(error)),
        }
    }
}

fn from_sqlite_code(code: ErrorCode, error: rusqlite::Error) -> Error {
    if code == ErrorCode::DiskFull {
        Error::DiskFull
    } else if code == ErrorCode::ReadOnly {
        Error::ReadOnly
    } else if matches!(code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::CannotOpen) {
        Error::Unavailable(error.to_string())
    } else if matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) {
        Error::Corrupt(error.to_string())
    } else {
        Error::Database(Box::new(error))
    }
}

/// Whether a column has another type than this program writes.
fn is_corrupt_value(error: &rusqlite::Error) -> bool {
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
    )
}

/// The error for a failed file operation on a path.
pub(super) fn from_disk_error(error: &io::Error, path: &Path) -> Error {
    match from_io_kind(error.kind()) {
        Some(known) => known,
        None => Error::Unavailable(format!("{}: {error}", path.display())),
    }
}

/// The errors of a full disk (or quota) and a read-only one, which SQLite reports only as I/O errors.
pub(super) fn from_io_kind(kind: io::ErrorKind) -> Option<Error> {
    if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        Some(Error::DiskFull)
    } else if matches!(kind, io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied) {
        Some(Error::ReadOnly)
    } else {
        None
    }
}

/// A copy of the error for another caller of the same transaction.
pub(super) fn copy_of(error: &Error) -> Error {
    match error {
        Error::DiskFull => Error::DiskFull,
        Error::ReadOnly => Error::ReadOnly,
        Error::InUse => Error::InUse,
        Error::SchemaTooNew { found, known } => Error::SchemaTooNew { found: *found, known: *known },
        Error::Corrupt(what) => Error::Corrupt(what.clone()),
        Error::Unavailable(why) => Error::Unavailable(why.clone()),
        Error::Database(cause) => Error::Unavailable(cause.to_string()),
    }
}
