//! The embedded store, each in a folder of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use async_trait::async_trait;
use pilotlight_store::{Settings, Store, sqlite};

use super::Backend;

pub(crate) struct Sqlite {
    store: Option<Arc<dyn Store>>,
    folder: PathBuf,
}

#[async_trait]
impl Backend for Sqlite {
    async fn create(settings: &Settings) -> Self {
        let folder = new_folder();
        Self { store: Some(open(&folder, settings)), folder }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.store.as_ref().expect("the store is open except during a reopen"))
    }

    async fn reopen(&mut self, settings: &Settings) {
        self.store = None;
        self.store = Some(open(&self.folder, settings));
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.store = None;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn open(folder: &Path, settings: &Settings) -> Arc<dyn Store> {
    sqlite::Sqlite::open(folder, settings.clone()).unwrap()
}

fn new_folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("pilotlight-conformance-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
    std::env::temp_dir().join(name)
}
