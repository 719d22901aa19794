//! `GET /metrics`, in the Prometheus text format.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::router::Handles;
use crate::telemetry::metrics::GaugeValues;

const FORMAT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// `GET`
pub async fn read(State(handles): State<Arc<Handles>>) -> Response {
    let (waiting, executing) = handles.dispatcher.read(|view| (view.waiting(), view.executing().len()));
    let connections = &handles.connections;
    let now = GaugeValues {
        waiting,
        executing,
        job_runners_waiting: handles.jobs.as_ref().map_or(0, |jobs| jobs.waiting()),
        connections: connections.open(),
        connections_at_most: connections.at_most(),
    };
    let mut response = Response::new(Body::from(handles.metrics.text(now)));
    response.headers_mut().insert(CONTENT_TYPE, FORMAT);
    response
}
