//! TLS: what is sealed is served as the rest, acknowledgements included, and a new certificate is used from when it is
//! there.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use pilotlight_testkit::http::post_request;
use pilotlight_testkit::need;
use pilotlight_testkit::node::NodeRunners;
use pilotlight_testkit::run_message::{self, DEPLOYMENT, VERSION, large_run, run};
use pilotlight_testkit::server::{TestServer, pilotlight_command};
use pilotlight_testkit::temp_dir::TempDir;
use pilotlight_testkit::wait::wait_until;
use pilotlight_testkit::warm_start::Poll;
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};

/// A certificate of our own making, and where its files are.
struct Certificate {
    folder: TempDir,
}

impl Certificate {
    fn new() -> Self {
        let certificate = Self { folder: TempDir::new() };
        certificate.renew();
        certificate
    }

    /// Writes another one in its place, as tools do: each file at once.
    fn renew(&self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
            .expect("a certificate can be made");
        for (path, text) in [(self.chain(), made.cert.pem()), (self.key(), made.signing_key.serialize_pem())]
        {
            let written = path.with_extension("new");
            fs::write(&written, text).expect("the folder can be written");
            fs::rename(written, path).expect("the folder can be written");
        }
    }

    fn chain(&self) -> PathBuf {
        self.folder.path().join("chain.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn server(&self) -> TestServer {
        let (chain, key) = (self.chain(), self.key());
        TestServer::with(&[
            ("PILOTLIGHT_SERVER_TLS_CERT", chain.to_str().expect("a plain path")),
            ("PILOTLIGHT_SERVER_TLS_KEY", key.to_str().expect("a plain path")),
        ])
    }

    /// A connection that believes in this certificate only; `None` when the server shows another.
    fn connect(&self, server: &TestServer) -> Option<StreamOwned<ClientConnection, TcpStream>> {
        let mut roots = RootCertStore::empty();
        let chain = CertificateDer::from_pem_file(self.chain()).expect("a certificate");
        roots.add(chain).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut stream = TcpStream::connect(server.address()).expect("it listens");
        client.complete_io(&mut stream).ok()?;
        Some(StreamOwned::new(client, stream))
    }
}

/// Sends a request and reads until there is a whole answer with a body of JSON.
fn ask(stream: &mut StreamOwned<ClientConnection, TcpStream>, request: &[u8]) -> Value {
    use std::io::{Read, Write};
    stream.write_all(request).expect("it reads");
    let mut bytes = Vec::new();
    loop {
        let mut some = [0; 16 * 1024];
        let read = stream.read(&mut some).expect("it answers");
        assert!(read > 0, "closed after {} bytes", bytes.len());
        bytes.extend_from_slice(&some[..read]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(json) = serde_json::from_str(body)
        {
            assert!(head.starts_with("HTTP/1.1 200"), "{head}");
            return json;
        }
    }
}

#[test]
fn a_sealed_run_is_acknowledged_by_the_runners_kernel() {
    let certificate = Certificate::new();
    let server = certificate.server();
    for wanted in [run("run_small"), large_run("run_large", 3_000_000)] {
        let mut runner = certificate.connect(&server).expect("the certificate is shown");
        let mut supervisor = certificate.connect(&server).expect("the certificate is shown");
        let poll = Poll::by("runner").request();
        let received = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| ask(&mut runner, poll.as_bytes()));
            wait_until("it waits", || {
                ask(&mut supervisor, b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")["waitingRunners"]
                    == 1
            });
            let told = ask(&mut supervisor, &post_request("/warm-start", run_message::offer(&wanted)));
            assert_eq!(told, json!({ "didWarmStart": true }));
            waiting.join().expect("no panic")
        });
        assert!(received == wanted, "the message differs from what was offered");
        let dashboard = ask(&mut supervisor, b"GET /api/dashboard HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assert_eq!(dashboard["recentMatches"][0]["delivery"], "acknowledged");
    }
}

#[test]
fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let certificate = Certificate::new();
    let server = certificate.server();
    let mut kept = certificate.connect(&server).expect("the certificate is shown");
    certificate.renew();
    wait_until("the new one is shown", || certificate.connect(&server).is_some());
    fs::write(certificate.key(), "no key").expect("the folder can be written");
    wait_until("the broken one is noticed", || server.log().contains("the old one stays in use"));
    assert!(certificate.connect(&server).is_some(), "the old one is gone");
    let health = ask(&mut kept, b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(health["status"], "ok", "a connection from before goes on");
}

#[test]
fn the_health_check_asks_over_tls_and_takes_any_certificate() {
    let certificate = Certificate::new();
    let server = certificate.server();
    let url = server.url().replace("http:", "https:");
    let output = pilotlight_command(&[]).args(["health", "--url", &url]).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(said.starts_with("ok: "), "{said}");
}

#[test]
fn a_connection_without_tls_is_closed() {
    let certificate = Certificate::new();
    let server = certificate.server();
    for garbage in
        [b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n".as_slice(), b"\x16\x03\x01\xff\xff\x01", &[0; 4096]]
    {
        let mut connection = server.connect();
        connection.send(garbage);
        connection.shutdown_write();
        let said = connection.drain();
        assert!(!said.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&said));
    }
    let mut operator = certificate.connect(&server).expect("the certificate is shown");
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    std::io::Write::write_all(&mut operator, request).expect("it reads");
    let mut metrics = Vec::new();
    // Whether it says goodbye does not matter here.
    _ = std::io::Read::read_to_end(&mut operator, &mut metrics);
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(metrics.contains("\npilotlight_tls_handshakes_failed_total 3\n"), "{metrics}");
}

#[test]
fn half_a_certificate_is_a_mistake_and_none_is_an_error() {
    let certificate = Certificate::new();
    let chain = certificate.chain();
    let chain = chain.to_str().expect("a plain path");
    for (settings, code, said) in [
        (vec![("PILOTLIGHT_SERVER_TLS_CERT", chain)], 2, "server.tls_cert needs server.tls_key"),
        (
            vec![("PILOTLIGHT_SERVER_TLS_CERT", chain), ("PILOTLIGHT_SERVER_TLS_KEY", "/nowhere/key.pem")],
            1,
            "a private key in /nowhere/key.pem",
        ),
        (
            vec![("PILOTLIGHT_SERVER_TLS_CERT", chain), ("PILOTLIGHT_SERVER_TLS_KEY", chain)],
            1,
            "a private key in ",
        ),
    ] {
        let output = pilotlight_command(&settings).arg("serve").output().expect("the binary runs");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_real_client_waits_over_tls() {
    need!("node", "clients");
    let certificate = Certificate::new();
    let server = certificate.server();
    let url = server.url().replace("http://127.0.0.1", "https://localhost");
    let wish = json!({
        "url": url, "runners": ["runner-1"], "deployment": DEPLOYMENT, "version": VERSION,
        "cpu": "0.5", "memory": "0.5", "rounds": 1, "tells": "message",
    });
    let runner = NodeRunners::trusting(&wish, &certificate.chain());
    let mut supervisor = certificate.connect(&server).expect("the certificate is shown");
    wait_until("it waits", || {
        ask(&mut supervisor, b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")["waitingRunners"] == 1
    });
    let wanted = run("run_1");
    let told = ask(&mut supervisor, &post_request("/warm-start", run_message::offer(&wanted)));
    assert_eq!(told, json!({ "didWarmStart": true }));
    assert_eq!(runner.wait_for_event("received")["message"], wanted);
}
