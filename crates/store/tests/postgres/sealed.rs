//! TLS between the store and its server.

use std::path::PathBuf;

use pilotlight_store::{Error, Store};

use crate::support::postgres::Server;
use crate::world::{at, need_postgresql, try_open};

/// A server with a certificate for its address, and a file that says so.
struct Scene {
    server: Server,
    roots: PathBuf,
}

impl Scene {
    fn new(names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = made.cert.pem();
        let server = Server::start_sealed(&certificate, &made.signing_key.serialize_pem());
        let roots = std::env::temp_dir().join(format!("pilotlight-roots-{}.pem", server.port()));
        std::fs::write(&roots, certificate).unwrap();
        Self { server, roots }
    }

    async fn open(&self, options: &str) -> Result<String, Error> {
        let options = options.replace("ROOTS", self.roots.to_str().unwrap());
        let address = format!("{}?{options}", self.server.database_over_tcp());
        let store = try_open(&address).await?;
        store.counts(at(0), at(1)).await?;
        let sealed = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                      WHERE application_name = 'pilotlight'";
        Ok(self.server.sql(&address, sealed))
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.roots);
    }
}

#[tokio::test]
async fn a_server_that_can_is_spoken_to_through_tls() {
    need_postgresql!();
    let scene = Scene::new(&["127.0.0.1"]);
    for options in ["sslmode=prefer", "sslmode=require", "sslmode=verify-full&sslrootcert=ROOTS"] {
        assert_eq!(scene.open(options).await.unwrap(), "t", "{options}");
    }
    assert_eq!(scene.open("sslmode=disable").await.unwrap(), "f");
}

#[tokio::test]
async fn a_server_that_is_not_the_named_one_is_refused() {
    need_postgresql!();
    let scene = Scene::new(&["elsewhere.example"]);
    for options in
        ["sslmode=verify-full&sslrootcert=ROOTS", "sslmode=require&sslrootcert=ROOTS", "sslmode=verify-full"]
    {
        let why = scene.open(options).await.unwrap_err().to_string();
        assert!(why.contains("certificate") && !why.contains("s3cret"), "{options}: {why}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    need_postgresql!();
    let server = Server::start();
    let address = server.database_over_tcp();
    let why = try_open(&format!("{address}?sslmode=require")).await.unwrap_err().to_string();
    assert!(why.contains("TLS"), "{why}");
    assert!(try_open(&format!("{address}?sslmode=prefer")).await.is_ok());
}
