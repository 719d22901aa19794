//! An address and a data folder that a service keeps over a restart.

use std::sync::Arc;

use crate::server::TestServer;
use crate::temp_dir::TempDir;

/// An address and a data folder for several services, one after the other.
pub struct FixedAddress {
    host: String,
    data: Arc<TempDir>,
}

impl FixedAddress {
    /// A loopback address that only this process uses, so that no other process takes the port between two services.
    pub fn new() -> Self {
        let id = std::process::id();
        let host = format!("127.{}.{}.{}", 100 + id / 65_536 % 100, id / 256 % 256, id % 254 + 1);
        Self { host, data: TempDir::new().into() }
    }

    /// The URL of every service started with this address.
    pub fn url(&self) -> String {
        format!("http://{}:18080", self.host)
    }

    /// Starts a service. The previous one must have exited.
    pub fn serve(&self, settings: &[(&str, &str)]) -> TestServer {
        let address = [
            ("PILOTLIGHT_SERVER_HOST", self.host.as_str()),
            ("PILOTLIGHT_SERVER_PORT", "18080"),
            ("PILOTLIGHT_SERVER_DATA_DIR", self.data.text()),
        ];
        TestServer::with(&[settings, &address].concat())
    }
}
