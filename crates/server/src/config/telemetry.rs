//! `telemetry.*`: where traces are exported.

use serde::Deserialize;

use crate::config::key::{self, KeySpec};
use crate::config::value_type::ValueType;

/// Where traces are exported.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The OTLP collector that receives the spans of offers and jobs: an `http` URL, to which `/v1/traces` is appended.
    pub otlp_endpoint: Option<String>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        key::defaults("telemetry", KEYS)
    }
}

pub(super) const KEYS: &[KeySpec] = &[KeySpec::new(
    "telemetry.otlp_endpoint",
    "none",
    ValueType::NoneOrHttpUrl,
    "collector that receives the spans of offers and jobs, by OTLP over HTTP",
)];
