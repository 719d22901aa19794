//! Converts the errors of the pool and the server to [`Error`], and decides whether a retry may help. The server's
//! message texts never leave this file, because they may contain the contents of rows.

use std::fmt;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::DbError;

use crate::error::Error;

/// Why an attempt of an operation failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// The error for the caller.
    pub(super) error: Error,
    /// Whether the operation is attempted again.
    pub(super) retry: Retry,
}

/// Whether another attempt makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Yes: nothing has changed, and the next attempt may succeed.
    Worthwhile,
    /// No: it would fail too, or it is unknown whether this attempt was committed.
    Pointless,
}

impl Failure {
    /// A failure that another attempt would meet again.
    pub(super) const fn permanent(error: Error) -> Self {
        Self { error, retry: Retry::Pointless }
    }

    /// The pool could not provide a connection.
    pub(super) fn no_connection(error: &PoolError, server: &str) -> Self {
        let why = match error {
            PoolError::Backend(error) => return Self::before_commit(error, server),
            PoolError::Timeout(TimeoutType::Wait) => "is too slow for this load: all connections are busy",
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => "did not answer in time",
            PoolError::PostCreateHook(_) => "closed a new connection",
            PoolError::Closed | PoolError::NoRuntimeSpecified => {
                "cannot be used: the connection pool is closed"
            }
        };
        Self::permanent(Error::Unavailable(format!("{server} {why}")))
    }

    /// A failure before a commit was sent: nothing has changed.
    pub(super) fn before_commit(error: &tokio_postgres::Error, server: &str) -> Self {
        match error.as_db_error() {
            Some(error) => Self::from_server(error, server),
            None => Self { error: connection_lost(error, server), retry: Retry::Worthwhile },
        }
    }

    /// The answer to a commit was lost: the change may or may not be stored.
    pub(super) fn commit_unknown(server: &str) -> Self {
        Self::permanent(Error::Unavailable(format!(
            "the connection to {server} was lost during a commit; the change may or may not be stored: check it, or \
             repeat the request"
        )))
    }

    /// Another transaction changed the same job first: the state that was read is outdated.
    pub(super) fn conflict() -> Self {
        let why = "concurrent changes of the same jobs conflicted; repeat the request".to_owned();
        Self { error: Error::Unavailable(why), retry: Retry::Worthwhile }
    }

    /// An operation, with all its attempts, took too long.
    pub(super) fn timed_out(server: &str) -> Self {
        Self::permanent(Error::Unavailable(format!(
            "{server} did not finish an operation in time; a change may or may not be stored: check it, or repeat the \
             request"
        )))
    }

    fn from_server(error: &DbError, server: &str) -> Self {
        let retry = match error.code().code() {
            // Two transactions conflicted (23505, 40001, 40P01); the server is stopping or starting (57P0x).
            "23505" | "40001" | "40P01" | "57P01" | "57P02" | "57P03" => Retry::Worthwhile,
            _ => Retry::Pointless,
        };
        Self { error: server_error(error, server), retry }
    }
}

/// A connection could not be opened, or was lost.
fn connection_lost(error: &tokio_postgres::Error, server: &str) -> Error {
    // The innermost cause is the operating system's error, or says what is wrong with a certificate.
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Error::Unavailable(format!("{server} cannot be reached: {cause}"))
}

/// The server answered with an error.
fn server_error(error: &DbError, server: &str) -> Error {
    let unavailable = |why: &str| Error::Unavailable(format!("{server} {why}"));
    let code = error.code().code();
    match (code.get(..2).unwrap_or_default(), code) {
        (_, "53100") => Error::DiskFull,
        (_, "25006") => Error::ReadOnly,
        (_, "53300") => {
            unavailable("has no connection left; raise `max_connections`, or run fewer instances")
        }
        (_, "3D000") => unavailable("has no such database; create it"),
        (_, "57014" | "55P03") => {
            unavailable("did not finish a statement in time; it is busy, or a row is locked")
        }
        (_, "40001" | "40P01") => unavailable("is busy: concurrent changes of the same jobs conflicted"),
        (_, "57P03") => unavailable("is starting or stopping"),
        (_, "42501") => unavailable(
            "denies this user a permission that the store needs; make the user the owner of the database",
        ),
        (_, "XX001" | "XX002") => Error::Corrupt(format!("{server} reports corrupt data (SQLSTATE {code})")),
        ("28", _) => unavailable("rejects the login: the user or the password is wrong"),
        ("08" | "53" | "57" | "58", _) => unavailable(&format!("has an internal problem (SQLSTATE {code})")),
        _ => Error::Database(Box::new(SqlStateError { code: code.to_owned() })),
    }
}

/// An error code of the SQL standard or of PostgreSQL, without the message text.
#[derive(Debug)]
struct SqlStateError {
    code: String,
}

impl std::error::Error for SqlStateError {}

impl fmt::Display for SqlStateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the server rejected a statement: SQLSTATE {}", self.code)
    }
}
