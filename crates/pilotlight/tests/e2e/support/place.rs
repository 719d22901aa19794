//! A service that restarts, and is found again.

use std::sync::Arc;

use super::process::Folder;
use super::server::Server;

/// A service that is always found at the same place.
pub(crate) struct Place {
    host: String,
    data: Arc<Folder>,
}

impl Place {
    pub(crate) fn new() -> Self {
        // Addresses of this machine's own, so that nobody else takes the port.
        let id = std::process::id();
        let host = format!("127.{}.{}.{}", 100 + id / 65_536 % 100, id / 256 % 256, id % 254 + 1);
        Self { host, data: Folder::new().into() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}:18080", self.host)
    }

    pub(crate) fn serve(&self, settings: &[(&str, &str)]) -> Server {
        let folder = self.data.path().to_str().expect("a plain path");
        let place = [
            ("PILOTLIGHT_SERVER_HOST", self.host.as_str()),
            ("PILOTLIGHT_SERVER_PORT", "18080"),
            ("PILOTLIGHT_SERVER_DATA_DIR", folder),
        ];
        Server::with(&[settings, &place].concat())
    }
}
