//! `store.*`: where jobs are remembered.

use serde::Deserialize;

use super::key::{self, Key};
use super::secret::Secret;
use super::takes::Takes;

/// Where jobs are remembered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// A PostgreSQL database. Without one it is a file in `server.data_dir`.
    pub url: Option<Secret>,
}

impl Default for Store {
    fn default() -> Self {
        key::defaults("store")
    }
}

pub(super) const KEYS: &[Key] = &[Key::new(
    "store.url",
    "none",
    Takes::NoneOrPostgres,
    "PostgreSQL database that several instances may share; without one jobs are remembered in a file in `server.data_dir`",
)
.legacy("DATABASE_URL")
.secret()];
