//! The stores that jobs are tested over: a folder, or a database of a real PostgreSQL. Each outlives the service.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::ids::JobType;
use pilotlight_core::job::{JobPolicy, QueueLimits};
use pilotlight_store::postgres::Postgres;
use pilotlight_store::sqlite::Sqlite;
use pilotlight_store::{Limits, Settings};

use crate::support::postgres;
use crate::support::process::Folder;
use crate::support::server::Server;

/// Where jobs are remembered.
#[derive(Clone)]
pub(crate) enum Store {
    Sqlite(Arc<Folder>),
    Postgres { server: Arc<postgres::Server>, url: String },
}

impl Store {
    /// A folder of its own.
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(Arc::new(Folder::new()))
    }

    /// A database of its own. The caller needs `postgresql`.
    pub(crate) fn postgres() -> Self {
        let server = postgres::Server::start();
        let url = server.database_over_tcp();
        Self::Postgres { server: Arc::new(server), url }
    }

    /// An empty one of the same kind.
    pub(crate) fn another(&self) -> Self {
        match self {
            Self::Sqlite(_) => Self::sqlite(),
            Self::Postgres { server, .. } => {
                Self::Postgres { server: Arc::clone(server), url: server.database_over_tcp() }
            }
        }
    }

    /// Does something in it that a service would have done at another time, of whose jobs of this type others are told.
    pub(crate) fn visit<T>(
        &self,
        hooked: &str,
        visit: impl AsyncFnOnce(&dyn pilotlight_store::Store) -> T,
    ) -> T {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        runtime.block_on(async {
            let settings = settings(hooked);
            let opened: Arc<dyn pilotlight_store::Store> = match self {
                Self::Sqlite(folder) => Sqlite::open(folder.path(), settings).expect("it opens"),
                Self::Postgres { url, .. } => Postgres::open(url, settings).await.expect("it opens"),
            };
            visit(&*opened).await
        })
    }

    /// The service over it, with these settings too.
    pub(crate) fn serve(&self, settings: &[(&str, &str)]) -> Server {
        let place = match self {
            Self::Sqlite(folder) => {
                ("PILOTLIGHT_SERVER_DATA_DIR", folder.path().to_str().expect("a plain path"))
            }
            Self::Postgres { url, .. } => ("DATABASE_URL", url.as_str()),
        };
        Server::with(&[settings, &[place]].concat())
    }
}

fn settings(hooked: &str) -> Settings {
    let policy = JobPolicy {
        heartbeat_timeout: Duration::from_secs(90),
        start_timeout: Duration::from_secs(2),
        lost_retries: 3,
        failed_ttl: Duration::from_mins(10),
    };
    let hooked = HashSet::from([JobType::parse(hooked).expect("a name")]);
    Settings {
        policy,
        webhook_types: Arc::new(hooked),
        limits: Limits { console_bytes: 1024 },
        queue_limits: QueueLimits::default(),
    }
}

/// Makes a test over each kind of store of each of these functions.
macro_rules! over_each_store {
    ($($name:ident)+) => {
        mod sqlite {
            $(
                #[test]
                fn $name() {
                    super::$name(&super::Store::sqlite());
                }
            )+
        }

        mod postgres {
            $(
                #[test]
                fn $name() {
                    crate::support::skip::need!("postgresql");
                    super::$name(&super::Store::postgres());
                }
            )+
        }
    };
}
pub(super) use over_each_store;
