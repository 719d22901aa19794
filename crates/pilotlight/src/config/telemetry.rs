//! `telemetry.*`: to whom it is told, besides logs and metrics, what happened.

use serde::Deserialize;

use super::key::{self, KeySpec};
use super::value_type::ValueType;

/// To whom it is told what happened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The collector that gets a span for each offer: an `http` URL, below which it takes `/v1/traces`.
    pub otlp_endpoint: Option<String>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        key::defaults("telemetry")
    }
}

pub(super) const KEYS: &[KeySpec] = &[KeySpec::new(
    "telemetry.otlp_endpoint",
    "none",
    ValueType::NoneOrHttpUrl,
    "collector that gets a span for each offer, by OTLP over HTTP; only in a binary built with the feature `otlp`",
)];
