//! TLS between the store and its server.

use std::path::PathBuf;

use pilotlight_store::Error;
use pilotlight_testkit::need;
use pilotlight_testkit::postgres::PostgresCluster;

use crate::fixture::{at, try_open};

/// A server with a self-signed certificate, and a file with that certificate for `sslrootcert`.
struct TlsServer {
    server: PostgresCluster,
    roots: PathBuf,
}

impl TlsServer {
    fn start(names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let generated = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = generated.cert.pem();
        let server = PostgresCluster::start_with_tls(&certificate, &generated.signing_key.serialize_pem());
        let roots = std::env::temp_dir().join(format!("pilotlight-roots-{}.pem", server.port()));
        std::fs::write(&roots, certificate).unwrap();
        Self { server, roots }
    }

    /// Opens the store with these options of the address, and returns whether its connections use TLS (`t` or `f`).
    async fn open(&self, options: &str) -> Result<String, Error> {
        let options = options.replace("ROOTS", self.roots.to_str().unwrap());
        let address = format!("{}?{options}", self.server.database_over_tcp());
        let store = try_open(&address).await?;
        store.counts(at(0), at(1)).await?;
        let uses_tls = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                      WHERE application_name = 'pilotlight'";
        Ok(self.server.sql(&address, uses_tls))
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.roots);
    }
}

#[tokio::test]
async fn tls_is_used_when_the_server_supports_it() {
    need!("postgresql");
    let tls_server = TlsServer::start(&["127.0.0.1"]);
    for options in ["sslmode=prefer", "sslmode=require", "sslmode=verify-full&sslrootcert=ROOTS"] {
        assert_eq!(tls_server.open(options).await.unwrap(), "t", "{options}");
    }
    assert_eq!(tls_server.open("sslmode=disable").await.unwrap(), "f");
}

#[tokio::test]
async fn a_server_with_a_certificate_for_another_name_is_rejected() {
    need!("postgresql");
    let tls_server = TlsServer::start(&["elsewhere.example"]);
    for options in
        ["sslmode=verify-full&sslrootcert=ROOTS", "sslmode=require&sslrootcert=ROOTS", "sslmode=verify-full"]
    {
        let error = tls_server.open(options).await.unwrap_err().to_string();
        assert!(error.contains("certificate") && !error.contains("s3cret"), "{options}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_rejected_when_tls_is_required() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database_over_tcp();
    let error = try_open(&format!("{address}?sslmode=require")).await.unwrap_err().to_string();
    assert!(error.contains("TLS"), "{error}");
    assert!(try_open(&format!("{address}?sslmode=prefer")).await.is_ok());
}
