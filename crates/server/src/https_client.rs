//! The HTTP client of webhooks, of result validation and of exported spans.

use reqwest::{Certificate, Client, ClientBuilder};
use tokio_rustls::rustls::crypto;

/// A builder for HTTP clients that trust the root certificates of the public web. They are compiled in, because small
/// container images have none.
///
/// # Errors
/// When a certificate cannot be read.
pub fn https_client_builder() -> anyhow::Result<ClientBuilder> {
    // reqwest is built without a default TLS provider. The error means that one is installed already; all code here
    // installs the same one.
    _ = crypto::aws_lc_rs::default_provider().install_default();
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|root| Certificate::from_der(root));
    Ok(Client::builder().tls_certs_merge(roots.collect::<Result<Vec<_>, _>>()?))
}
