//! The interface that each kind of store implements for the suite.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use pilotlight_store::{Settings, Store};

/// A kind of store.
#[async_trait]
pub(crate) trait Backend: Send {
    /// The requirements that the machine must meet, by their names in `xtask/src/requirements.rs`.
    fn requirements() -> &'static [&'static str]
    where
        Self: Sized,
    {
        &[]
    }

    /// Creates a new, empty store.
    async fn create(settings: &Settings) -> Self
    where
        Self: Sized;

    /// The open store.
    fn store(&self) -> Arc<dyn Store>;

    /// Closes the store and opens it again. The caller has dropped all other references to the store.
    async fn reopen(&mut self, settings: &Settings);
}
