//! A statement that writes, as a value: a transaction collects these statements, and a connection sends them.

use tokio_postgres::types::ToSql;

/// The parameters of a statement, owned until it is sent.
pub(super) type OwnedParams = Vec<Box<dyn ToSql + Sync + Send>>;

/// A statement that writes, with its parameters.
pub(super) struct WriteStatement {
    pub(super) statement: &'static str,
    pub(super) params: OwnedParams,
}

/// Makes [`OwnedParams`] of these values.
macro_rules! owned_params {
    ($($value:expr),* $(,)?) => {
        vec![$(Box::new($value) as Box<dyn tokio_postgres::types::ToSql + Sync + Send>),*]
    };
}
pub(super) use owned_params;
