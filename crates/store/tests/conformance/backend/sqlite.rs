//! The SQLite store. Each store has its own folder.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use pilotlight_store::{Settings, Store, sqlite};
use pilotlight_testkit::temp_dir::TempDir;

use super::Backend;

pub(crate) struct Sqlite {
    store: Option<Arc<dyn Store>>,
    // The folder is removed after the store is closed.
    folder: TempDir,
}

#[async_trait]
impl Backend for Sqlite {
    async fn create(settings: &Settings) -> Self {
        let folder = TempDir::new();
        Self { store: Some(open(folder.path(), settings)), folder }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.store.as_ref().expect("the store is open except during a reopen"))
    }

    async fn reopen(&mut self, settings: &Settings) {
        self.store = None;
        self.store = Some(open(self.folder.path(), settings));
    }
}

fn open(folder: &Path, settings: &Settings) -> Arc<dyn Store> {
    sqlite::Sqlite::open(folder, settings.clone()).unwrap()
}
