//! The stores that jobs are tested over: a folder, or a database of a real PostgreSQL. Each outlives the service.

use crate::support::process::Folder;
use crate::support::server::Server;

/// Where jobs are remembered.
pub(crate) enum Store {
    Sqlite(Folder),
}

impl Store {
    /// A folder of its own.
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(Folder::new())
    }

    /// The service over it, with these settings too.
    pub(crate) fn serve(&self, settings: &[(&str, &str)]) -> Server {
        match self {
            Self::Sqlite(folder) => {
                let folder = folder.path().to_str().expect("a plain path");
                Server::with(&[settings, &[("PILOTLIGHT_SERVER_DATA_DIR", folder)]].concat())
            }
        }
    }
}
