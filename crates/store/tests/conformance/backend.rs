//! The seam: what the suite needs of a kind of store.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use pilotlight_store::{Settings, Store};

/// A kind of store.
#[async_trait]
pub(crate) trait Backend: Send {
    /// What a machine must have, by the names of `xtask/src/needs.rs`.
    fn requirements() -> &'static [&'static str]
    where
        Self: Sized,
    {
        &[]
    }

    /// An empty store of its own.
    async fn create(settings: &Settings) -> Self
    where
        Self: Sized;

    /// The store as it is open now.
    fn store(&self) -> Arc<dyn Store>;

    /// Lets go of the store and opens again what it left. Nobody else holds the store when this is called.
    async fn reopen(&mut self, settings: &Settings);
}
