//! The errors of a store. After an error nothing has changed, with one exception: when PostgreSQL's answer to a commit
//! is lost, [`Error::Unavailable`] says that the change may or may not be stored.

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk is full.
    #[error("the disk of the store is full")]
    DiskFull,
    /// The store can be read, but not written.
    #[error("the store cannot be written: its disk or its file is read-only")]
    ReadOnly,
    /// The store cannot be used now, but maybe later, or with another setting.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The store was written by a newer version of this program.
    #[error(
        "the store has schema {found}, and this program knows {known} at most; use the newer program, or restore a \
         backup that was made before the upgrade"
    )]
    SchemaTooNew {
        /// The store's schema number.
        found: u32,
        /// The newest schema number that this program knows.
        known: u32,
    },
    /// Another process has a lock on the store that excludes this operation: a restore excludes a service.
    #[error("the store is in use by another process: a service, or a restore of a backup")]
    InUse,
    /// The store's data is invalid.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// Any other error of the database.
    #[error("the store failed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
}
