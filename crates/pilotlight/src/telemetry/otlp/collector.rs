//! Sends one export to the collector. Each export opens a new connection, because exports are rare and the collector is
//! on the same machine or network.

use std::io;
use std::time::Duration;

use hyper::Uri;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An export fails when the collector has not answered within this time.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum size of a response's head that is read, in bytes. It is more than any collector sends.
const HEAD_BYTES: usize = 16 * 1024;

/// The address of the collector.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    host: String,
    port: u16,
    /// The value of the `host` header.
    authority: String,
    path: String,
}

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    /// The collector answered with this status.
    #[error("the collector answered {0}")]
    Status(u16),
    /// The collector did not answer in time.
    #[error("the collector did not answer within {} s", RESPONSE_TIMEOUT.as_secs())]
    Timeout,
    /// The connection failed, or ended before the answer.
    #[error("the connection to the collector failed: {0}")]
    Io(#[from] io::Error),
}

impl ExportError {
    /// Whether a retry may help (OTLP, "Retryable response codes").
    pub(super) const fn is_retryable(&self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 429 | 502 | 503 | 504),
            Self::Timeout | Self::Io(_) => true,
        }
    }
}

impl Collector {
    /// The collector at this URL. The configuration has already checked `endpoint`.
    pub(super) fn new(endpoint: &str) -> Self {
        let url: Uri = endpoint.parse().expect("the configuration accepts only a URL");
        let authority =
            url.authority().expect("the configuration accepts only a URL with a host").to_string();
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
        Self { host, port: url.port_u16().unwrap_or(80), authority, path }
    }

    /// Sends one export.
    pub(super) async fn post(&self, body: &[u8]) -> Result<(), ExportError> {
        let status =
            timeout(RESPONSE_TIMEOUT, self.send_request(body)).await.map_err(|_| ExportError::Timeout)??;
        if (200..300).contains(&status) { Ok(()) } else { Err(ExportError::Status(status)) }
    }

    async fn send_request(&self, body: &[u8]) -> io::Result<u16> {
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             user-agent: pilotlight/{}\r\nconnection: close\r\n\r\n",
            self.path,
            self.authority,
            body.len(),
            env!("CARGO_PKG_VERSION")
        );
        stream.write_all(&[head.as_bytes(), body].concat()).await?;
        let mut received = Vec::new();
        while received.len() < HEAD_BYTES && stream.read_buf(&mut received).await? > 0 {
            if let Some(status) = status(&received)? {
                return Ok(status);
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn status(received: &[u8]) -> io::Result<Option<u16>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(received) {
        Ok(httparse::Status::Complete(_)) => Ok(response.code),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_posted_below_the_endpoint() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:4318", ("127.0.0.1", 4318, "127.0.0.1:4318", "/v1/traces")),
            ("http://collector", ("collector", 80, "collector", "/v1/traces")),
            ("http://[::1]:4318/otlp/", ("::1", 4318, "[::1]:4318", "/otlp/v1/traces")),
        ] {
            let Collector { host, port, authority, path } = Collector::new(endpoint);
            assert_eq!((host.as_str(), port, authority.as_str(), path.as_str()), expected);
        }
    }

    #[test]
    fn only_transient_failures_are_retried() {
        for (status, is_retryable) in [(400, false), (401, false), (404, false), (429, true), (503, true)] {
            assert_eq!(ExportError::Status(status).is_retryable(), is_retryable, "{status}");
        }
        assert!(ExportError::Timeout.is_retryable());
    }
}
