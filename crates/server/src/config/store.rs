//! `store.*`: where jobs are stored.

use serde::Deserialize;

use crate::config::key::{self, KeySpec};
use crate::config::secret::Secret;
use crate::config::value_type::ValueType;

/// Where jobs are stored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// The URL of a PostgreSQL database; `None` means a SQLite file in `server.data_dir`.
    pub url: Option<Secret>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        key::defaults("store", KEYS)
    }
}

pub(super) const KEYS: &[KeySpec] = &[KeySpec::new(
    "store.url",
    "none",
    ValueType::NoneOrPostgres,
    "PostgreSQL database, which several instances may share; without it, jobs are stored in a SQLite file in `server.data_dir`",
)
.legacy("DATABASE_URL")
.secret()];
