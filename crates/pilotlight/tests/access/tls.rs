//! TLS: encrypted connections are served like others, with acknowledgements, and a renewed certificate is used without
//! a restart.

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

/// A self-signed certificate in a folder.
struct Certificate {
    folder: TempDir,
}

impl Certificate {
    fn new() -> Self {
        let certificate = Self { folder: TempDir::new() };
        certificate.renew();
        certificate
    }

    /// Replaces the certificate by a new one. Like common tools, it replaces each file with a rename.
    fn renew(&self) {
        let generated = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
            .expect("a certificate can be generated");
        for (path, text) in
            [(self.chain(), generated.cert.pem()), (self.key(), generated.signing_key.serialize_pem())]
        {
            let draft = path.with_extension("new");
            fs::write(&draft, text).expect("the folder can be written");
            fs::rename(draft, path).expect("the folder can be written");
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
            ("PILOTLIGHT_SERVER_TLS_CERT", chain.to_str().expect("the path is UTF-8")),
            ("PILOTLIGHT_SERVER_TLS_KEY", key.to_str().expect("the path is UTF-8")),
        ])
    }

    /// A connection that trusts this certificate only; `None` when the server uses another.
    fn connect(&self, server: &TestServer) -> Option<StreamOwned<ClientConnection, TcpStream>> {
        let mut roots = RootCertStore::empty();
        let chain = CertificateDer::from_pem_file(self.chain()).expect("a certificate");
        roots.add(chain).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a valid name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a valid configuration");
        let mut stream = TcpStream::connect(server.address()).expect("the service listens");
        client.complete_io(&mut stream).ok()?;
        Some(StreamOwned::new(client, stream))
    }
}

/// Sends a request and reads a whole response, whose body is JSON.
fn request_json(stream: &mut StreamOwned<ClientConnection, TcpStream>, request: &[u8]) -> Value {
    use std::io::{Read, Write};
    stream.write_all(request).expect("the service reads");
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 16 * 1024];
        let read = stream.read(&mut buffer).expect("the service responds");
        assert!(read > 0, "closed after {} bytes", bytes.len());
        bytes.extend_from_slice(&buffer[..read]);
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
fn a_run_sent_over_tls_is_acknowledged_by_the_runners_kernel() {
    let certificate = Certificate::new();
    let server = certificate.server();
    for run in [run("run_small"), large_run("run_large", 3_000_000)] {
        let mut runner = certificate.connect(&server).expect("the server uses the certificate");
        let mut supervisor = certificate.connect(&server).expect("the server uses the certificate");
        let request_bytes = Poll::by("runner").request();
        let received = std::thread::scope(|scope| {
            let poll = scope.spawn(|| request_json(&mut runner, request_bytes.as_bytes()));
            wait_until("the poll is parked", || {
                request_json(&mut supervisor, b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")["waitingRunners"]
                    == 1
            });
            let answer =
                request_json(&mut supervisor, &post_request("/warm-start", run_message::offer(&run)));
            assert_eq!(answer, json!({ "didWarmStart": true }));
            poll.join().expect("no panic")
        });
        assert!(received == run, "the received message differs from the offered one");
        let dashboard =
            request_json(&mut supervisor, b"GET /api/dashboard HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assert_eq!(dashboard["recentMatches"][0]["delivery"], "acknowledged");
    }
}

#[test]
fn a_renewed_certificate_is_used_and_an_invalid_one_is_not() {
    let certificate = Certificate::new();
    let server = certificate.server();
    let mut earlier = certificate.connect(&server).expect("the server uses the certificate");
    certificate.renew();
    wait_until("the server uses the new certificate", || certificate.connect(&server).is_some());
    fs::write(certificate.key(), "no key").expect("the folder can be written");
    wait_until("the server logs the invalid key", || server.log().contains("the old one stays in use"));
    assert!(certificate.connect(&server).is_some(), "the server no longer uses the old certificate");
    let health = request_json(&mut earlier, b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(health["status"], "ok", "an earlier connection does not work any more");
}

#[test]
fn the_health_check_uses_tls_and_accepts_any_certificate() {
    let certificate = Certificate::new();
    let server = certificate.server();
    let url = server.url().replace("http:", "https:");
    let output = pilotlight_command(&[]).args(["health", "--url", &url]).output().expect("the binary runs");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stdout.starts_with("ok: "), "{stdout}");
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
        let received = connection.drain();
        assert!(!received.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&received));
    }
    let mut operator = certificate.connect(&server).expect("the server uses the certificate");
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    std::io::Write::write_all(&mut operator, request).expect("the service reads");
    let mut metrics = Vec::new();
    // The result does not matter: the server may close without a TLS close_notify.
    _ = std::io::Read::read_to_end(&mut operator, &mut metrics);
    let metrics = String::from_utf8_lossy(&metrics);
    assert!(metrics.contains("\npilotlight_tls_handshakes_failed_total 3\n"), "{metrics}");
}

#[test]
fn a_certificate_without_a_key_is_rejected_and_so_is_an_invalid_key() {
    let certificate = Certificate::new();
    let chain = certificate.chain();
    let chain = chain.to_str().expect("the path is UTF-8");
    for (settings, code, expected) in [
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
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_real_client_polls_over_tls() {
    need!("node", "clients");
    let certificate = Certificate::new();
    let server = certificate.server();
    let url = server.url().replace("http://127.0.0.1", "https://localhost");
    let options = json!({
        "url": url, "runners": ["runner-1"], "deployment": DEPLOYMENT, "version": VERSION,
        "cpu": "0.5", "memory": "0.5", "rounds": 1, "tells": "message",
    });
    let runner = NodeRunners::trusting(&options, &certificate.chain());
    let mut supervisor = certificate.connect(&server).expect("the server uses the certificate");
    wait_until("the poll is parked", || {
        request_json(&mut supervisor, b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")["waitingRunners"]
            == 1
    });
    let run = run("run_1");
    let answer = request_json(&mut supervisor, &post_request("/warm-start", run_message::offer(&run)));
    assert_eq!(answer, json!({ "didWarmStart": true }));
    assert_eq!(runner.wait_for_event("received")["message"], run);
}
