//! The stores that jobs are tested over: a folder, or a database of a real PostgreSQL. Each outlives the service.

use std::sync::Arc;

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
