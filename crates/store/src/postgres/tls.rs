//! TLS for connections to the database, by rustls like everywhere in this program. The address decides which
//! certificates are accepted: with `sslmode=verify-full` or `sslrootcert`, only a valid certificate for the host name;
//! otherwise any certificate, as in libpq.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use crate::error::Error;

/// Which server certificates are accepted.
#[derive(Clone)]
pub(super) enum Trust {
    /// Any certificate. This protects only against passive eavesdropping.
    AnyCertificate,
    /// A certificate for the host name, issued by a public authority.
    PublicRoots,
    /// A certificate for the host name, issued by one of these authorities.
    Roots(Arc<RootCertStore>),
}

impl Trust {
    /// Reads authorities from a PEM file.
    pub(super) fn roots_in(path: &Path) -> Result<Self, Error> {
        let unreadable = || {
            let path = path.display();
            Error::Unavailable(format!("failed to read certificates from {path}, which `sslrootcert` names"))
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|_| unreadable())? {
            certificate.map_err(|_| unreadable()).and_then(|it| roots.add(it).map_err(|_| unreadable()))?;
        }
        if roots.is_empty() { Err(unreadable()) } else { Ok(Self::Roots(Arc::new(roots))) }
    }

    fn config(&self) -> ClientConfig {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default TLS versions");
        let mut config = match self {
            Self::AnyCertificate => config
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAnyCertificate(provider)))
                .with_no_client_auth(),
            Self::PublicRoots => config.with_root_certificates(public_roots()).with_no_client_auth(),
            Self::Roots(roots) => config.with_root_certificates(Arc::clone(roots)).with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        config
    }
}

/// The certificate authorities of the public web, compiled in.
fn public_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    roots
}

/// Creates TLS handshakes for the client library.
#[derive(Clone)]
pub(super) struct PgTlsConnector(Arc<ClientConfig>);

impl PgTlsConnector {
    pub(super) fn new(trust: &Trust) -> Self {
        Self(Arc::new(trust.config()))
    }
}

impl MakeTlsConnect<Socket> for PgTlsConnector {
    type Stream = PgTlsStream;
    type TlsConnect = PgTlsHandshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<PgTlsHandshake> {
        // A Unix socket has no host name and uses no TLS.
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other);
        Ok(PgTlsHandshake { connector: TlsConnector::from(Arc::clone(&self.0)), name })
    }
}

/// The TLS handshake of one connection to a server.
pub(super) struct PgTlsHandshake {
    connector: TlsConnector,
    name: io::Result<ServerName<'static>>,
}

impl TlsConnect<Socket> for PgTlsHandshake {
    type Stream = PgTlsStream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<PgTlsStream>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.name?, socket).await.map(PgTlsStream) })
    }
}

/// A TLS connection.
pub(super) struct PgTlsStream(tokio_rustls::client::TlsStream<Socket>);

impl TlsStream for PgTlsStream {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for PgTlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for PgTlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// Accepts any certificate, but still checks that the server has its private key.
#[derive(Debug)]
struct AcceptAnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _stapled: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_public_root_is_usable() {
        assert_eq!(public_roots().len(), webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
    }
}
