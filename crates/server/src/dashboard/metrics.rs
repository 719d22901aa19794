//! `GET /metrics`, in the OpenMetrics text format, which Prometheus reads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use pilotlight_net::listener::Connections;

use crate::capability::Status;
use crate::telemetry::metrics::{MetricsRegistry, ProcessMetrics};

const FORMAT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// What the handler reads.
#[derive(Debug)]
pub(super) struct Metrics {
    pub(super) registry: Arc<MetricsRegistry>,
    pub(super) process: ProcessMetrics,
    pub(super) connections: Connections,
    pub(super) statuses: Vec<Arc<dyn Status>>,
}

/// `GET /metrics`
pub(super) async fn read(State(metrics): State<Arc<Metrics>>) -> Response {
    metrics.process.set_gauges(&metrics.connections);
    metrics.statuses.iter().for_each(|status| status.set_gauges());
    let mut response = Response::new(Body::from(metrics.registry.text()));
    response.headers_mut().insert(CONTENT_TYPE, FORMAT);
    response
}
