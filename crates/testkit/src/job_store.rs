//! The stores that tests of jobs use: a folder with SQLite, or a database in a real PostgreSQL server. A store remains
//! when its service exits.

use std::sync::Arc;

use pilotlight_core::ids::JobType;
use pilotlight_store::Store;
use pilotlight_store::postgres::Postgres;
use pilotlight_store::sqlite::Sqlite;

use crate::postgres::PostgresCluster;
use crate::server::TestServer;
use crate::store_fixtures;
use crate::temp_dir::TempDir;

/// Where jobs are stored.
#[derive(Clone)]
pub enum JobStore {
    /// SQLite, in this folder.
    Sqlite(Arc<TempDir>),
    /// PostgreSQL, in the database at `url`.
    Postgres {
        /// The server.
        cluster: Arc<PostgresCluster>,
        /// The database's address.
        url: String,
    },
}

impl JobStore {
    /// An empty SQLite store.
    pub fn sqlite() -> Self {
        Self::Sqlite(Arc::new(TempDir::new()))
    }

    /// An empty database in the PostgreSQL server that all tests share. The test needs `postgresql`.
    pub fn postgres() -> Self {
        Self::in_cluster(PostgresCluster::shared())
    }

    /// An empty database in a PostgreSQL server of this test alone, for tests that disturb the server or check its data
    /// on disk.
    pub fn postgres_of_its_own() -> Self {
        Self::in_cluster(PostgresCluster::start())
    }

    fn in_cluster(cluster: PostgresCluster) -> Self {
        let url = cluster.database_over_tcp();
        Self::Postgres { cluster: Arc::new(cluster), url }
    }

    /// An empty store of the same kind.
    pub fn another(&self) -> Self {
        match self {
            Self::Sqlite(_) => Self::sqlite(),
            Self::Postgres { cluster, .. } => {
                Self::Postgres { cluster: Arc::clone(cluster), url: cluster.database_over_tcp() }
            }
        }
    }

    /// Opens the store without a service and runs `action` on it, for example to write a job with another time. Jobs of
    /// the type `webhook_type` have webhooks.
    pub fn open<T>(&self, webhook_type: &str, action: impl AsyncFnOnce(&dyn Store) -> T) -> T {
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        runtime.block_on(async {
            let mut settings = store_fixtures::settings();
            settings.webhook_types = Arc::new([JobType::parse(webhook_type).expect("a name")].into());
            let opened: Arc<dyn Store> = match self {
                Self::Sqlite(folder) => Sqlite::open(folder.path(), settings).expect("the store opens"),
                Self::Postgres { url, .. } => Postgres::open(url, settings).await.expect("the store opens"),
            };
            action(&*opened).await
        })
    }

    /// Starts a service with this store and these settings.
    pub fn serve(&self, settings: &[(&str, &str)]) -> TestServer {
        let address = match self {
            Self::Sqlite(folder) => ("PILOTLIGHT_SERVER_DATA_DIR", folder.text()),
            Self::Postgres { url, .. } => ("DATABASE_URL", url.as_str()),
        };
        TestServer::with(&[settings, &[address]].concat())
    }
}

/// Defines a test for each of these functions and each kind of store. The functions take a [`JobStore`].
#[macro_export]
macro_rules! for_each_store {
    ($($name:ident)+) => {
        mod sqlite {
            $(
                #[test]
                fn $name() {
                    super::$name(&$crate::job_store::JobStore::sqlite());
                }
            )+
        }

        mod postgres {
            $(
                #[test]
                fn $name() {
                    $crate::need!("postgresql");
                    super::$name(&$crate::job_store::JobStore::postgres());
                }
            )+
        }
    };
}
pub use for_each_store;
