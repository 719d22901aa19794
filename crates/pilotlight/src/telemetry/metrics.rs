//! The metrics of `GET /metrics`; counters count since the start of the process. Every label has a fixed set of values,
//! so the number of time series is bounded. The table in `docs/observability.md` is generated from the help texts.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pilotlight_core::delivery::{AckMode, Delivery, OfferOutcome};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::histogram::Histogram;
use super::jobs::JobMetrics;

/// A counter of events.
pub type Count = Counter<u64, AtomicU64>;
/// A number that goes up and down.
pub(super) type UintGauge = Gauge<u64, AtomicU64>;
pub(super) type Labels = [(&'static str, &'static str); 1];

/// Histogram bounds for the time to answer an offer, in microseconds: from the fastest answer over loopback to three
/// dispatches that each fail at their deadline.
const ANSWER_TIME_BUCKETS_US: &[u64] = &[
    20, 40, 60, 80, 100, 150, 200, 300, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000,
];

/// Histogram bounds for the waiting time of polls, in microseconds, up to the longest possible poll.
const WAIT_TIME_BUCKETS_US: &[u64] = &[
    1_000,
    10_000,
    100_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    20_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    600_000_000,
];

/// All metrics of the service.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    warm: Count,
    cold: Count,
    warm_took: Histogram,
    cold_took: Histogram,
    waited: Histogram,
    cascaded: Count,
    dispatches: Count,
    deliveries: Deliveries,
    tokens: TokenCounts,
    connections: ConnectionCounts,
    dropped: DroppedCounts,
    jobs: JobMetrics,
    gauges: Gauges,
    /// Offers whose supervisor left before its answer.
    pub unanswered: Count,
    /// Dispatches that failed because the connection ended.
    pub ended_dispatches: Count,
    /// Dispatches that failed because no acknowledgement arrived before the deadline.
    pub timed_out_dispatches: Count,
    /// Sign-ins refused because the key is not an admin key.
    pub refused_sign_ins: Count,
    /// Runs that the runner's kernel acknowledged, but the runner never read.
    pub unread: Count,
    /// Polls that were selected, but whose connection was already closed.
    pub closed_polls: Count,
    /// Polls closed because they outlived the timeout that their clients should apply.
    pub expired_polls: Count,
}

#[derive(Debug)]
struct Deliveries {
    acknowledged: Count,
    unconfirmed: Count,
}

/// Counters of deployment tokens by the result of verification.
#[derive(Debug, Clone, Default)]
pub struct TokenCounts {
    /// Tokens that verify.
    pub verified: Count,
    /// Tokens that do not verify, but were accepted.
    pub unverified: Count,
    /// Tokens and plain ids that were refused.
    pub refused: Count,
}

/// Counters of connections that never carried a request.
#[derive(Debug, Clone, Default)]
pub struct ConnectionCounts {
    /// Connections closed at once, because the maximum number of connections was open.
    pub refused: Count,
    /// Connections that ended before the TLS handshake was complete.
    pub failed_handshakes: Count,
}

/// Counters of dropped telemetry about offers.
#[derive(Debug, Clone, Default)]
pub struct DroppedCounts {
    /// Dropped lines of `log.offers`.
    pub lines: Count,
    /// Dropped spans for `telemetry.otlp_endpoint`.
    pub spans: Count,
}

#[derive(Debug, Default)]
struct Gauges {
    waiting: UintGauge,
    executing: UintGauge,
    job_runners_waiting: UintGauge,
    connections: UintGauge,
    connections_at_most: UintGauge,
}

/// The values of the gauges, which are read when `GET /metrics` is called.
#[derive(Debug, Clone, Copy)]
pub struct GaugeValues {
    /// Parked polls for runs.
    pub waiting: usize,
    /// Runners that execute a run.
    pub executing: usize,
    /// Parked polls for jobs.
    pub job_runners_waiting: usize,
    /// Open connections.
    pub connections: usize,
    /// Maximum number of open connections.
    pub connections_at_most: usize,
}

/// The facts about an answered offer that are counted.
#[derive(Debug, Clone, Copy)]
pub struct AnsweredOffer {
    /// The answer to the supervisor.
    pub answer: OfferOutcome,
    /// The time from the offer to the answer.
    pub took: Duration,
    /// The number of polls that it was dispatched to.
    pub dispatches: u8,
    /// How long the poll that got the run had waited; `None` when no poll got it.
    pub waited: Option<Duration>,
}

impl Metrics {
    /// All counters at zero. `ack_mode` becomes the constant gauge `warm_is_proven`.
    #[must_use]
    pub fn new(ack_mode: AckMode) -> Arc<Self> {
        let mut registry = Registry::with_prefix("pilotlight");
        let reg = &mut registry;
        register_constants(reg, ack_mode);
        let gauges = Gauges::register(reg);
        let offers = family(reg, "offers", "Offers by the answer to the supervisor");
        let took =
            histograms(reg, "offer_duration", "Time from an offer to its answer", ANSWER_TIME_BUCKETS_US);
        let deliveries = family(reg, "deliveries", "Offers answered warm, by proof of delivery");
        let failed = family(
            reg,
            "dispatches_failed",
            "Failed dispatches by reason: the connection ended, or no acknowledgement arrived before the deadline",
        );
        let tokens =
            family(reg, "deployment_tokens", "Deployment tokens of polls by the result of verification");
        let dropped = family(
            reg,
            "telemetry_dropped",
            "Offer log lines and trace spans that were dropped, because the log or the collector was too slow or failed",
        );
        Arc::new(Self {
            gauges,
            warm: labelled(&offers, "outcome", "warm"),
            cold: labelled(&offers, "outcome", "cold"),
            unanswered: labelled(&offers, "outcome", "unanswered"),
            warm_took: labelled(&took, "outcome", "warm"),
            cold_took: labelled(&took, "outcome", "cold"),
            deliveries: Deliveries {
                acknowledged: labelled(&deliveries, "delivery", "acknowledged"),
                unconfirmed: labelled(&deliveries, "delivery", "unconfirmed"),
            },
            unread: count(
                reg,
                "unread",
                "Runs that the runner's kernel acknowledged, but the runner never read: the connection was reset. This service cannot see runs that are lost in another way",
            ),
            dispatches: count(reg, "dispatches", "Dispatches of runs to polls"),
            ended_dispatches: labelled(&failed, "why", "ended"),
            timed_out_dispatches: labelled(&failed, "why", "deadline"),
            cascaded: count(reg, "offers_cascaded", "Offers dispatched to more than one poll"),
            waited: histogram(
                reg,
                "poll_wait",
                "Time that polls had waited when they got a run",
                WAIT_TIME_BUCKETS_US,
            ),
            closed_polls: count(
                reg,
                "polls_gone",
                "Polls that were selected, but whose connection was already closed",
            ),
            expired_polls: count(
                reg,
                "polls_let_go",
                "Polls closed because they outlived the timeout that their clients should apply",
            ),
            connections: ConnectionCounts {
                refused: count(
                    reg,
                    "connections_refused",
                    "Connections closed at once, because the maximum number of connections was open",
                ),
                failed_handshakes: count(
                    reg,
                    "tls_handshakes_failed",
                    "Connections that ended before the TLS handshake was complete",
                ),
            },
            tokens: TokenCounts {
                verified: labelled(&tokens, "outcome", "verified"),
                unverified: labelled(&tokens, "outcome", "unverified"),
                refused: labelled(&tokens, "outcome", "refused"),
            },
            refused_sign_ins: count(
                reg,
                "sign_ins_refused",
                "Sign-ins refused because the key is not an admin key",
            ),
            dropped: DroppedCounts {
                lines: labelled(&dropped, "what", "line"),
                spans: labelled(&dropped, "what", "span"),
            },
            jobs: JobMetrics::register(reg),
            registry,
        })
    }

    /// Counts an answered offer.
    pub fn record_answer(&self, offer: AnsweredOffer) {
        match offer.answer {
            OfferOutcome::Warm(delivery) => {
                self.warm.inc();
                self.warm_took.observe(offer.took);
                self.record_delivery(delivery);
            }
            OfferOutcome::Cold => {
                self.cold.inc();
                self.cold_took.observe(offer.took);
            }
        }
        if let Some(waited) = offer.waited {
            self.waited.observe(waited);
        }
        self.dispatches.inc_by(offer.dispatches.into());
        if offer.dispatches > 1 {
            self.cascaded.inc();
        }
    }

    /// The counters of connections; clones share them.
    pub fn connections(&self) -> ConnectionCounts {
        self.connections.clone()
    }

    /// The counters of dropped telemetry; clones share them.
    pub fn dropped(&self) -> DroppedCounts {
        self.dropped.clone()
    }

    /// The metrics of jobs; clones share them.
    pub fn jobs(&self) -> JobMetrics {
        self.jobs.clone()
    }

    /// The counters of deployment tokens; clones share them.
    pub fn tokens(&self) -> TokenCounts {
        self.tokens.clone()
    }

    /// All metrics in the OpenMetrics text format.
    #[must_use]
    pub fn text(&self, values: GaugeValues) -> String {
        self.gauges.set(values);
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }

    fn record_delivery(&self, delivery: Delivery) {
        match delivery {
            Delivery::Acknowledged => _ = self.deliveries.acknowledged.inc(),
            Delivery::Unconfirmed => _ = self.deliveries.unconfirmed.inc(),
            Delivery::Unread => {}
        }
    }
}

impl Gauges {
    fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        registry.register("polls_waiting", "Parked polls for runs", gauges.waiting.clone());
        registry.register("runners_executing", "Runners that execute a run", gauges.executing.clone());
        let help = "Parked polls for jobs";
        registry.register("jobs_runners_waiting", help, gauges.job_runners_waiting.clone());
        registry.register("connections_open", "Open connections", gauges.connections.clone());
        let help = "Maximum number of open connections; further connections are refused";
        registry.register("connections_max", help, gauges.connections_at_most.clone());
        gauges
    }

    fn set(&self, values: GaugeValues) {
        self.waiting.set(values.waiting as u64);
        self.executing.set(values.executing as u64);
        self.job_runners_waiting.set(values.job_runners_waiting as u64);
        self.connections.set(values.connections as u64);
        self.connections_at_most.set(values.connections_at_most as u64);
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

pub(super) fn count(registry: &mut Registry, name: &str, help: &str) -> Count {
    let counter = Count::default();
    registry.register(name, help, counter.clone());
    counter
}

pub(super) fn gauge(registry: &mut Registry, name: &str, help: &str) -> UintGauge {
    let gauge = UintGauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn histogram(registry: &mut Registry, name: &str, help: &str, bounds: &'static [u64]) -> Histogram {
    let histogram = Histogram::new(bounds);
    registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    histogram
}

pub(super) fn family(registry: &mut Registry, name: &str, help: &str) -> Family<Labels, Count> {
    let family = Family::<Labels, Count>::default();
    registry.register(name, help, family.clone());
    family
}

type Histograms = Family<Labels, Histogram, Bounds>;

/// Creates the histograms of a family, with these bounds.
#[derive(Debug, Clone, Copy)]
struct Bounds(&'static [u64]);

impl MetricConstructor<Histogram> for Bounds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0)
    }
}

fn histograms(registry: &mut Registry, name: &str, help: &str, bounds: &'static [u64]) -> Histograms {
    let family = Histograms::new_with_constructor(Bounds(bounds));
    registry.register_with_unit(name, help, Unit::Seconds, family.clone());
    family
}

pub(super) fn labelled<M: Clone, C: MetricConstructor<M>>(
    family: &Family<Labels, M, C>,
    label: &'static str,
    value: &'static str,
) -> M {
    family.get_or_create(&[(label, value)]).clone()
}
