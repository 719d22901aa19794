//! What went wrong between here and the database, in the store's own words, and whether trying again may help. What
//! the server says in detail never leaves this file: it may hold a row's contents.

use std::fmt;

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::DbError;

use crate::error::Error;

/// Why a try of a verb did not come about.
#[derive(Debug)]
pub(super) struct Failure {
    /// For the caller.
    pub(super) error: Error,
    /// For the store.
    pub(super) retry: Retry,
}

/// What another try would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Worth it: nothing has changed, and the next one may well succeed.
    Worthwhile,
    /// Not: it would fail as well, or it is unknown whether this one came about.
    Pointless,
}

impl Failure {
    /// It would fail again.
    pub(super) const fn permanent(error: Error) -> Self {
        Self { error, retry: Retry::Pointless }
    }

    /// The pool had no connection to lend.
    pub(super) fn no_connection(error: &PoolError, server: &str) -> Self {
        let why = match error {
            PoolError::Backend(error) => return Self::before_commit(error, server),
            PoolError::Timeout(TimeoutType::Wait) => {
                "is slower than what is asked of it: all connections are busy"
            }
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => "did not answer in time",
            PoolError::PostCreateHook(_) => "ended a new connection",
            PoolError::Closed | PoolError::NoRuntimeSpecified => "is not used any more",
        };
        Self::permanent(Error::Unavailable(format!("{server} {why}")))
    }

    /// Before a commit was asked for: nothing has changed.
    pub(super) fn before_commit(error: &tokio_postgres::Error, server: &str) -> Self {
        match error.as_db_error() {
            Some(error) => Self::from_server(error, server),
            None => Self { error: connection_lost(error, server), retry: Retry::Worthwhile },
        }
    }

    /// The answer to a commit was lost.
    pub(super) fn commit_unknown(server: &str) -> Self {
        Self::permanent(Error::Unavailable(format!(
            "the connection to {server} was lost while a change was being written; it may have come about or not: \
             look, or say it again"
        )))
    }

    /// Another instance was faster: what was read is not true any more.
    pub(super) fn conflict() -> Self {
        let why = "changes of the same jobs were in each other's way".to_owned();
        Self { error: Error::Unavailable(why), retry: Retry::Worthwhile }
    }

    /// A verb took too long.
    pub(super) fn timed_out(server: &str) -> Self {
        Self::permanent(Error::Unavailable(format!(
            "{server} did not get a change done in time; it may have come about or not: look, or say it again"
        )))
    }

    fn from_server(error: &DbError, server: &str) -> Self {
        let retry = match error.code().code() {
            // Two transactions were in each other's way; the server is going or coming.
            "23505" | "40001" | "40P01" | "57P01" | "57P02" | "57P03" => Retry::Worthwhile,
            _ => Retry::Pointless,
        };
        Self { error: server_error(error, server), retry }
    }
}

/// The connection did not come about, or is gone.
fn connection_lost(error: &tokio_postgres::Error, server: &str) -> Error {
    // The last cause is the operating system's, or says what is wrong with a certificate.
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Error::Unavailable(format!("{server} cannot be reached: {cause}"))
}

/// The server answered, and says no.
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
            unavailable("did not get it done in time; it is busy, or something holds a lock")
        }
        (_, "40001" | "40P01") => unavailable("is busy: changes of the same jobs were in each other's way"),
        (_, "57P03") => unavailable("is starting or stopping"),
        (_, "42501") => {
            unavailable("does not let this user do what a store does; make it the database's owner")
        }
        (_, "XX001" | "XX002") => Error::Corrupt(format!("{server} says that it is corrupt ({code})")),
        ("28", _) => unavailable("does not let us in: the user or the password is wrong"),
        ("08" | "53" | "57" | "58", _) => unavailable(&format!("is in trouble ({code})")),
        _ => Error::Database(Box::new(SqlStateError { code: code.to_owned() })),
    }
}

/// A code of the SQL standard or of PostgreSQL's own.
#[derive(Debug)]
struct SqlStateError {
    code: String,
}

impl std::error::Error for SqlStateError {}

impl fmt::Display for SqlStateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the server refuses a statement: SQLSTATE {}", self.code)
    }
}
