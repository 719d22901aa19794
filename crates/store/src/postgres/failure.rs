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
    pub(super) again: Again,
}

/// What another try would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Worth it: nothing has changed, and the next one may well succeed.
    Worthwhile,
    /// Not: it would fail as well, or it is unknown whether this one came about.
    Pointless,
}

impl Failure {
    /// It would fail again.
    pub(super) const fn for_good(error: Error) -> Self {
        Self { error, again: Again::Pointless }
    }

    /// The pool had no connection to lend.
    pub(super) fn to_connect(error: &PoolError, place: &str) -> Self {
        let why = match error {
            PoolError::Backend(error) => return Self::before_commit(error, place),
            PoolError::Timeout(TimeoutType::Wait) => {
                "is slower than what is asked of it: all connections are busy"
            }
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => "did not answer in time",
            PoolError::PostCreateHook(_) => "ended a new connection",
            PoolError::Closed | PoolError::NoRuntimeSpecified => "is not used any more",
        };
        Self::for_good(Error::Unavailable(format!("{place} {why}")))
    }

    /// Before a commit was asked for: nothing has changed.
    pub(super) fn before_commit(error: &tokio_postgres::Error, place: &str) -> Self {
        match error.as_db_error() {
            Some(said) => Self::said(said, place),
            None => Self { error: lost(error, place), again: Again::Worthwhile },
        }
    }

    /// The answer to a commit was lost.
    pub(super) fn at_commit(place: &str) -> Self {
        Self::for_good(Error::Unavailable(format!(
            "the connection to {place} was lost while a change was being written; it may have come about or not: \
             look, or say it again"
        )))
    }

    /// Another instance was faster: what was read is not true any more.
    pub(super) fn overtaken() -> Self {
        let why = "changes of the same jobs were in each other's way".to_owned();
        Self { error: Error::Unavailable(why), again: Again::Worthwhile }
    }

    /// A verb took too long.
    pub(super) fn not_in_time(place: &str) -> Self {
        Self::for_good(Error::Unavailable(format!(
            "{place} did not get a change done in time; it may have come about or not: look, or say it again"
        )))
    }

    fn said(said: &DbError, place: &str) -> Self {
        let again = match said.code().code() {
            // Two transactions were in each other's way; the server is going or coming.
            "23505" | "40001" | "40P01" | "57P01" | "57P02" | "57P03" => Again::Worthwhile,
            _ => Again::Pointless,
        };
        Self { error: refused(said, place), again }
    }
}

/// The connection did not come about, or is gone.
fn lost(error: &tokio_postgres::Error, place: &str) -> Error {
    // The last cause is the operating system's, or says what is wrong with a certificate.
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Error::Unavailable(format!("{place} cannot be reached: {cause}"))
}

/// The server answered, and says no.
fn refused(said: &DbError, place: &str) -> Error {
    let unavailable = |why: &str| Error::Unavailable(format!("{place} {why}"));
    let code = said.code().code();
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
        (_, "XX001" | "XX002") => Error::Corrupt(format!("{place} says that it is corrupt ({code})")),
        ("28", _) => unavailable("does not let us in: the user or the password is wrong"),
        ("08" | "53" | "57" | "58", _) => unavailable(&format!("is in trouble ({code})")),
        _ => Error::Database(Box::new(Complaint { code: code.to_owned() })),
    }
}

/// A code of the SQL standard or of PostgreSQL's own.
#[derive(Debug)]
struct Complaint {
    code: String,
}

impl std::error::Error for Complaint {}

impl fmt::Display for Complaint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the server refuses a statement: SQLSTATE {}", self.code)
    }
}
