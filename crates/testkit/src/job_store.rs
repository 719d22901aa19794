//! The stores that a service's jobs are tested with: a folder, or a database in a real PostgreSQL. Each outlives the
//! service.

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
    /// In a folder.
    Sqlite(Arc<TempDir>),
    /// In the database at `url`.
    Postgres {
        /// The server.
        cluster: Arc<PostgresCluster>,
        /// The database's address.
        url: String,
    },
}

impl JobStore {
    /// A folder.
    pub fn sqlite() -> Self {
        Self::Sqlite(Arc::new(TempDir::new()))
    }

    /// A database in the server that all tests share. The test needs `postgresql`.
    pub fn postgres() -> Self {
        Self::in_cluster(PostgresCluster::shared())
    }

    /// A database in a server of the test's own, for tests that disturb the server or are about what is on disk.
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

    /// Opens the store without a service, and writes or reads in it what a service would have at another time. Jobs of
    /// the type `webhook_type` have webhooks.
    pub fn open<T>(&self, webhook_type: &str, action: impl AsyncFnOnce(&dyn Store) -> T) -> T {
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        runtime.block_on(async {
            let mut settings = store_fixtures::settings();
            settings.webhook_types = Arc::new([JobType::parse(webhook_type).expect("a name")].into());
            let opened: Arc<dyn Store> = match self {
                Self::Sqlite(folder) => Sqlite::open(folder.path(), settings).expect("it opens"),
                Self::Postgres { url, .. } => Postgres::open(url, settings).await.expect("it opens"),
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

/// Makes one test for each kind of store of each of these functions, which take a [`JobStore`].
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
