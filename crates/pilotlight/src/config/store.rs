//! `store.*`: where jobs are remembered.

use serde::Deserialize;

use super::key::{self, KeySpec};
use super::secret::Secret;
use super::value_type::ValueType;

/// Where jobs are remembered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// A PostgreSQL database. Without one it is a file in `server.data_dir`.
    pub url: Option<Secret>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        key::defaults("store")
    }
}

pub(super) const KEYS: &[KeySpec] = &[KeySpec::new(
    "store.url",
    "none",
    ValueType::NoneOrPostgres,
    "PostgreSQL database that several instances may share; without one jobs are remembered in a file in `server.data_dir`",
)
.legacy("DATABASE_URL")
.secret()];
