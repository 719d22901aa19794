//! The PostgreSQL store. Each store has its own database.

use std::sync::Arc;

use async_trait::async_trait;
use pilotlight_store::{Settings, Store, postgres};
use pilotlight_testkit::postgres::PostgresCluster;

use super::Backend;

pub(crate) struct Postgres {
    store: Option<Arc<dyn Store>>,
    address: String,
    _cluster: PostgresCluster,
}

#[async_trait]
impl Backend for Postgres {
    fn requirements() -> &'static [&'static str] {
        &["postgresql"]
    }

    async fn create(settings: &Settings) -> Self {
        let cluster = PostgresCluster::shared();
        let address = cluster.database();
        Self { store: Some(open(&address, settings).await), address, _cluster: cluster }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.store.as_ref().expect("the store is open except during a reopen"))
    }

    async fn reopen(&mut self, settings: &Settings) {
        self.store = None;
        self.store = Some(open(&self.address, settings).await);
    }
}

async fn open(address: &str, settings: &Settings) -> Arc<dyn Store> {
    postgres::Postgres::open(address, settings.clone()).await.unwrap()
}
