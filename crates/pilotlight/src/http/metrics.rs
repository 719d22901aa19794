//! `GET /metrics`, in the OpenMetrics text format, which Prometheus reads.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::router::HttpState;
use crate::telemetry::metrics::GaugeValues;

const FORMAT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// `GET /metrics`
pub async fn read(State(state): State<Arc<HttpState>>) -> Response {
    let (waiting, executing) = state.dispatcher.read(|view| (view.parked_count(), view.active_runs().len()));
    let connections = &state.connections;
    let now = GaugeValues {
        waiting,
        executing,
        job_runners_waiting: state.jobs.as_ref().map_or(0, |jobs| jobs.parked_poll_count()),
        connections: connections.open(),
        connections_at_most: connections.max_open(),
    };
    let mut response = Response::new(Body::from(state.metrics.text(now)));
    response.headers_mut().insert(CONTENT_TYPE, FORMAT);
    response
}
