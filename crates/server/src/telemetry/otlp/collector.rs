//! One collector: the exporter of the OpenTelemetry crates, and the HTTP client that it uses. The exporter only says
//! that an export failed; the client keeps why.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

/// An export that takes longer has failed.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of bytes that are read of a response. A response only names refused spans.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// The collector that receives the spans.
#[derive(Debug)]
pub(super) struct Collector {
    exporter: SpanExporter,
    last_error: LastError,
}

type LastError = Arc<Mutex<Option<ExportError>>>;

/// Why the exporter could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExporterError {
    /// The HTTP client could not be built.
    #[error("failed to build the HTTP client")]
    Client(#[from] reqwest::Error),
    /// A setting is invalid. The exporter also reads `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_EXPORTER_OTLP_COMPRESSION`.
    #[error("failed to use the settings, including OTEL_EXPORTER_OTLP_* in the environment")]
    Settings(#[from] ExporterBuildError),
}

/// Why an export failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExportError {
    /// The collector responded with this status.
    #[error("the collector answered {0}")]
    Status(u16),
    /// The collector did not respond in time.
    #[error("the collector did not answer within {} s", RESPONSE_TIMEOUT.as_secs())]
    Timeout,
    /// The connection failed.
    #[error("the collector could not be asked: {0}")]
    Connection(String),
    /// The exporter failed before it sent the request.
    #[error("the spans could not be encoded: {0}")]
    Encoding(String),
}

impl ExportError {
    /// Whether a retry can succeed (OTLP, "Retryable response codes").
    pub(super) const fn is_retryable(&self) -> bool {
        match self {
            Self::Status(status) => matches!(status, 429 | 502 | 503 | 504),
            Self::Timeout | Self::Connection(_) => true,
            Self::Encoding(_) => false,
        }
    }
}

impl Collector {
    /// `endpoint` is a URL, below which spans are posted to `/v1/traces`.
    pub(super) fn new(http: ClientBuilder, endpoint: &str) -> Result<Self, ExporterError> {
        // Exports are rare and collectors are close, so each export opens a connection.
        let http = http.no_proxy().redirect(Policy::none()).pool_max_idle_per_host(0);
        let last_error = LastError::default();
        let client = CollectorClient {
            http: http.timeout(RESPONSE_TIMEOUT).build()?,
            last_error: Arc::clone(&last_error),
        };
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(traces_url(endpoint))
            .with_protocol(Protocol::HttpJson)
            // The exporter's own retries would go on while the service stops.
            .with_retry_policy(RetryPolicy::default().with_max_retries(0))
            .build()?;
        let (name, version) = ("pilotlight", env!("CARGO_PKG_VERSION"));
        let attributes = [KeyValue::new("service.name", name), KeyValue::new("service.version", version)];
        exporter.set_resource(&Resource::builder_empty().with_attributes(attributes).build());
        Ok(Self { exporter, last_error })
    }

    /// Exports these spans in one request.
    pub(super) async fn export(&self, spans: Vec<SpanData>) -> Result<(), ExportError> {
        self.exporter.export(spans).await.map_err(|error| {
            let last_error = self.last_error.lock().unwrap_or_else(PoisonError::into_inner).take();
            last_error.unwrap_or_else(|| ExportError::Encoding(error.to_string()))
        })
    }
}

fn traces_url(endpoint: &str) -> String {
    format!("{}/v1/traces", endpoint.trim_end_matches('/'))
}

/// The HTTP client of the exporter.
#[derive(Debug)]
struct CollectorClient {
    http: Client,
    last_error: LastError,
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.send(request).await.map_err(|error| {
            *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
            error.into()
        })
    }
}

impl CollectorClient {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ExportError> {
        let request = request.try_into().map_err(connection_error)?;
        let mut response = self.http.execute(request).await.map_err(connection_error)?;
        let status = response.status();
        if !status.is_success() {
            return Err(ExportError::Status(status.as_u16()));
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(connection_error)? {
            if body.len() + piece.len() > MAX_RESPONSE_BYTES {
                break;
            }
            body.extend_from_slice(&piece);
        }
        Ok(Response::new(body.into()))
    }
}

/// The innermost cause; the outer errors only say that the request failed.
fn connection_error(error: reqwest::Error) -> ExportError {
    if error.is_timeout() {
        return ExportError::Timeout;
    }
    let error = error.without_url();
    let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    ExportError::Connection(causes.last().map_or_else(String::new, ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_posted_below_the_endpoint() {
        for (endpoint, url) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://collector", "http://collector/v1/traces"),
            ("http://[::1]:4318/otlp/", "http://[::1]:4318/otlp/v1/traces"),
        ] {
            assert_eq!(traces_url(endpoint), url);
        }
    }

    #[test]
    fn only_transient_failures_are_retried() {
        for (status, is_retryable) in [(400, false), (401, false), (404, false), (429, true), (503, true)] {
            assert_eq!(ExportError::Status(status).is_retryable(), is_retryable, "{status}");
        }
        assert!(ExportError::Timeout.is_retryable());
        assert!(!ExportError::Encoding(String::new()).is_retryable());
    }
}
