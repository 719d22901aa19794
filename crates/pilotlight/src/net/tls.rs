//! TLS above our sockets: the bytes that the kernel acknowledges are counted below it. Certificate and key are read
//! again when their files change; what cannot be read leaves the old ones in force.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Soon enough for whoever just renewed a certificate.
const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// What connections are sealed with.
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
    /// When what is in force was changed.
    modified: ModifiedTimes,
    /// Of which change it was told that it cannot be used.
    reported: Option<ModifiedTimes>,
}

/// When each file was changed last, as far as that is known.
type ModifiedTimes = [Option<SystemTime>; 2];

/// Why there is nothing to seal with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("failed to read {what} in {path}")]
    File {
        /// What should be in it.
        what: &'static str,
        /// Where.
        path: String,
        /// Why not.
        source: tokio_rustls::rustls::pki_types::pem::Error,
    },
    /// There is no certificate in the file.
    #[error("failed to find a certificate (PEM) in {0}")]
    NoCertificate(String),
    /// They do not belong together, or are of a kind that is not known.
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
    /// When they cannot be read or do not fit.
    pub fn read(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let modified = files.modified();
        let current = Current { config: files.read()?, modified, reported: None };
        Ok(Arc::new(Self { files, current: Mutex::new(current) }))
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.lock().config))
    }

    /// The reconciler of the files, until dropped. Safe to repeat at any time.
    pub async fn reload_certificates(self: Arc<Self>) {
        loop {
            tokio::time::sleep(RELOAD_INTERVAL).await;
            // A disk that hangs must hold up nobody else.
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
                tracing::info!("read the changed certificate");
            }
            // One of the two may not be written yet, or not readable: it is tried again, and told once.
            Err(error) => {
                if self.lock().reported.replace(modified) != Some(modified) {
                    tracing::warn!(%error, cause = cause(&error), "the old certificate stays in force");
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
