//! Why a verb did not come about. Nothing has changed then.

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no room left to write.
    #[error("the disk of the store is full")]
    DiskFull,
    /// The store may be read, but not written.
    #[error("the store cannot be written: its disk or its file is read-only")]
    ReadOnly,
    /// It does not answer now; it may later.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// It was written by a newer program.
    #[error(
        "the store has schema {found}, and this program knows {known} at most; use the newer program, or restore a \
         backup that was made before the upgrade"
    )]
    SchemaTooNew {
        /// The store's.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// Another process uses it in a way that does not go together with this.
    #[error("the store is in use by another process: a service, or a backup that is put back")]
    InUse,
    /// What it holds makes no sense.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// Anything else that its database says.
    #[error("the store failed")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
}
