//! The shared store, in a database of its own on a server of its own.

use std::sync::Arc;

use async_trait::async_trait;
use pilotlight_store::{Settings, Store, postgres};

use super::Backend;
use crate::support::postgres::Server;

pub(crate) struct Postgres {
    store: Option<Arc<dyn Store>>,
    address: String,
    _server: Server,
}

#[async_trait]
impl Backend for Postgres {
    fn requirements() -> &'static [&'static str] {
        &["postgresql"]
    }

    async fn create(settings: &Settings) -> Self {
        let server = Server::start();
        let address = server.database();
        Self { store: Some(open(&address, settings).await), address, _server: server }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.store.as_ref().expect("it is open between two verbs"))
    }

    async fn reopen(&mut self, settings: &Settings) {
        self.store = None;
        self.store = Some(open(&self.address, settings).await);
    }
}

async fn open(address: &str, settings: &Settings) -> Arc<dyn Store> {
    postgres::Postgres::open(address, settings.clone()).await.unwrap()
}
