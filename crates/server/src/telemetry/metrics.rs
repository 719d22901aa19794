//! The metrics of the service. Capabilities register their own; here are the registry, the metrics of the process, and
//! the helpers that register a metric of a kind.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use pilotlight_core::delivery::AckMode;
use pilotlight_net::listener::{ConnectionCounts, Connections};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::telemetry::histogram::Histogram;

/// A counter of events.
pub(crate) type Count = Counter<u64, AtomicU64>;
/// A number that goes up and down.
pub(crate) type UintGauge = Gauge<u64, AtomicU64>;
pub(crate) type Labels = [(&'static str, &'static str); 1];

/// All metrics of the service.
pub(crate) struct MetricsRegistry(Mutex<Registry>);

impl MetricsRegistry {
    /// With the metrics that never change. `ack_mode` becomes the constant gauge `warm_is_proven`.
    pub(crate) fn new(ack_mode: AckMode) -> Self {
        let mut registry = Registry::with_prefix("pilotlight");
        register_constants(&mut registry, ack_mode);
        Self(Mutex::new(registry))
    }

    /// Registers metrics.
    pub(crate) fn register<M>(&self, register: impl FnOnce(&mut Registry) -> M) -> M {
        register(&mut self.lock())
    }

    /// All metrics in the OpenMetrics text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.lock()).expect("writing to a string does not fail");
        text
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

impl fmt::Debug for MetricsRegistry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("MetricsRegistry")
    }
}

/// The metrics that belong to no capability. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct ProcessMetrics {
    pub(crate) connections: ConnectionCounts,
    pub(crate) dropped: DroppedCounts,
    /// Sign-ins refused because the key is not an admin key.
    pub(crate) refused_sign_ins: Count,
    open_connections: UintGauge,
    max_connections: UintGauge,
}

/// Counters of dropped telemetry about offers.
#[derive(Debug, Clone, Default)]
pub(crate) struct DroppedCounts {
    /// Dropped lines of `log.offers`.
    pub lines: Count,
    /// Dropped spans for `telemetry.otlp_endpoint`.
    pub spans: Count,
}

impl ProcessMetrics {
    /// Registers the metrics, all at zero.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let dropped = family(
            registry,
            "telemetry_dropped",
            "Offer log lines and trace spans that were dropped, because the log or the collector was too slow or failed",
        );
        Self {
            open_connections: gauge(registry, "connections_open", "Open connections"),
            max_connections: gauge(
                registry,
                "connections_max",
                "Maximum number of open connections; further connections are refused",
            ),
            connections: ConnectionCounts {
                refused: count(
                    registry,
                    "connections_refused",
                    "Connections closed at once, because the maximum number of connections was open",
                ),
                failed_handshakes: count(
                    registry,
                    "tls_handshakes_failed",
                    "Connections that ended before the TLS handshake was complete",
                ),
            },
            refused_sign_ins: count(
                registry,
                "sign_ins_refused",
                "Sign-ins refused because the key is not an admin key",
            ),
            dropped: DroppedCounts {
                lines: labelled(&dropped, "what", "line"),
                spans: labelled(&dropped, "what", "span"),
            },
        }
    }

    /// Sets the gauges of connections.
    pub(crate) fn set_gauges(&self, connections: &Connections) {
        self.open_connections.set(connections.open() as u64);
        self.max_connections.set(connections.max_open() as u64);
    }
}

fn register_constants(registry: &mut Registry, ack_mode: AckMode) {
    let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("build", "Version of the service", version);
    let started = Gauge::<f64, AtomicU64>::default();
    started.set(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
    let help = "When the process started, in seconds since 1970";
    registry.register_with_unit("start_time", help, Unit::Seconds, started);
    let proven = UintGauge::default();
    proven.set(u64::from(ack_mode == AckMode::Kernel));
    let help = "1 when a warm answer means that the runner's kernel acknowledged the run, 0 when delivery is unconfirmed";
    registry.register("warm_is_proven", help, proven);
}

pub(crate) fn count(registry: &mut Registry, name: &str, help: &str) -> Count {
    let counter = Count::default();
    registry.register(name, help, counter.clone());
    counter
}

pub(crate) fn gauge(registry: &mut Registry, name: &str, help: &str) -> UintGauge {
    let gauge = UintGauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

pub(crate) fn histogram(
    registry: &mut Registry,
    name: &str,
    help: &str,
    bounds: &'static [u64],
) -> Histogram {
    let histogram = Histogram::new(bounds);
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}

pub(crate) fn family(registry: &mut Registry, name: &str, help: &str) -> Family<Labels, Count> {
    let family = Family::<Labels, Count>::default();
    registry.register(name, help, family.clone());
    family
}

pub(crate) type Histograms = Family<Labels, Histogram, Bounds>;

/// Creates the histograms of a family, with these bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds(&'static [u64]);

impl MetricConstructor<Histogram> for Bounds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0)
    }
}

pub(crate) fn histograms(
    registry: &mut Registry,
    name: &str,
    help: &str,
    bounds: &'static [u64],
) -> Histograms {
    let family = Histograms::new_with_constructor(Bounds(bounds));
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}

pub(crate) fn labelled<M: Clone, C: MetricConstructor<M>>(
    family: &Family<Labels, M, C>,
    label: &'static str,
    value: &'static str,
) -> M {
    family.get_or_create(&[(label, value)]).clone()
}
