//! TLS on top of our sockets. Acknowledged bytes are counted below TLS. The certificate and the key are loaded again
//! when their files change; if the new files cannot be used, the old ones stay in use.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How often the files are checked: soon enough after an operator renewed a certificate.
const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// The certificate and key of TLS connections.
pub struct Tls {
    files: Files,
    current: Mutex<Current>,
}

#[derive(Debug, Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

struct Current {
    config: Arc<ServerConfig>,
    /// The modification times of the files that are in use.
    modified: ModifiedTimes,
    /// The modification times of the last change that was logged as unusable.
    reported: Option<ModifiedTimes>,
}

/// The modification time of the certificate and of the key; `None` where it cannot be read.
type ModifiedTimes = [Option<SystemTime>; 2];

/// Why the certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or does not contain the expected PEM.
    #[error("failed to read {what} in {path}")]
    File {
        /// What the file should contain.
        what: &'static str,
        /// The path of the file.
        path: String,
        /// The cause.
        source: tokio_rustls::rustls::pki_types::pem::Error,
    },
    /// There is no certificate in the file.
    #[error("failed to find a certificate (PEM) in {0}")]
    NoCertificate(String),
    /// The key does not belong to the certificate, or one of them is of an unsupported kind.
    #[error("failed to use the certificate with its key")]
    Unusable(#[from] tokio_rustls::rustls::Error),
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(out)
    }
}

impl Tls {
    /// Reads a certificate chain and its key, both in PEM.
    ///
    /// # Errors
    /// When a file cannot be read, or the key does not fit the certificate.
    pub fn read(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let modified = files.modified();
        let current = Current { config: files.read()?, modified, reported: None };
        Ok(Arc::new(Self { files, current: Mutex::new(current) }))
    }

    /// The acceptor for the next connection, with the certificate that is in use now.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.lock().config))
    }

    /// The reconciler of the certificate files, until dropped. Safe to repeat at any time.
    pub async fn reload_certificates(self: Arc<Self>) {
        loop {
            tokio::time::sleep(RELOAD_INTERVAL).await;
            // On a blocking thread: a disk that hangs must not block other tasks.
            let tls = Arc::clone(&self);
            _ = tokio::task::spawn_blocking(move || tls.reload_if_changed()).await;
        }
    }

    fn reload_if_changed(&self) {
        let modified = self.files.modified();
        if modified == self.lock().modified {
            return;
        }
        match self.files.read() {
            Ok(config) => {
                *self.lock() = Current { config, modified, reported: None };
                tracing::info!("loaded the changed certificate");
            }
            // One of the two files may not be written yet, or may not be readable. Loading is retried; each change is
            // logged once.
            Err(error) => {
                if self.lock().reported.replace(modified) != Some(modified) {
                    tracing::warn!(
                        %error,
                        cause = cause(&error),
                        "failed to load the changed certificate; the old one stays in use"
                    );
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().expect("nothing panics under this lock")
    }
}

impl Files {
    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let failed = |what, path: &Path| {
            let path = path.display().to_string();
            move |source| TlsError::File { what, path, source }
        };
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(&self.certificate).and_then(Iterator::collect);
        let chain = chain.map_err(failed("certificates", &self.certificate))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(self.certificate.display().to_string()));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(failed("a private key", &self.key))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn modified(&self) -> ModifiedTimes {
        let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
        [modified(&self.certificate), modified(&self.key)]
    }
}

fn cause(error: &TlsError) -> Option<String> {
    std::error::Error::source(error).map(ToString::to_string)
}
