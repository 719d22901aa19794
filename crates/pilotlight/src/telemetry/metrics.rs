//! Counters of what happened since the start. Every label has a fixed set of values.

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

/// From the fastest answer over loopback to three polls given up, in microseconds.
const ANSWER_TIME_BUCKETS_US: &[u64] = &[
    20, 40, 60, 80, 100, 150, 200, 300, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000,
];

/// From a runner that hardly waited to the longest poll there may be, in microseconds.
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

/// All of them.
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
    /// Dispatches that were given up at their deadline.
    pub timed_out_dispatches: Count,
    /// Sign-ins with a key that lets nobody in.
    pub refused_sign_ins: Count,
    /// Acknowledged runs whose program never read them.
    pub unread: Count,
    /// Polls chosen whose connection was gone already.
    pub closed_polls: Count,
    /// Polls closed because their clients have no time-outs.
    pub expired_polls: Count,
}

#[derive(Debug)]
struct Deliveries {
    acknowledged: Count,
    unconfirmed: Count,
}

/// Deployment tokens, by what became of them.
#[derive(Debug, Clone, Default)]
pub struct TokenCounts {
    /// True.
    pub verified: Count,
    /// Not true, or not known to be; passed all the same.
    pub unverified: Count,
    /// Refused.
    pub refused: Count,
}

/// Connections that came to nothing.
#[derive(Debug, Clone, Default)]
pub struct ConnectionCounts {
    /// Closed at once: as many as may be were open.
    pub refused: Count,
    /// Ended before TLS was agreed on.
    pub failed_handshakes: Count,
}

/// What was to be told about offers and was not.
#[derive(Debug, Clone, Default)]
pub struct DroppedCounts {
    /// Lines of `log.offers`.
    pub lines: Count,
    /// Spans of `telemetry.otlp_endpoint`.
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

/// Numbers that are read at the moment they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct GaugeValues {
    /// Polls parked.
    pub waiting: usize,
    /// Runners that have a run.
    pub executing: usize,
    /// Polls for jobs that wait.
    pub job_runners_waiting: usize,
    /// Connections open.
    pub connections: usize,
    /// Connections that may be open.
    pub connections_at_most: usize,
}

/// An offer that was answered.
#[derive(Debug, Clone, Copy)]
pub struct AnsweredOffer {
    /// What the supervisor was told.
    pub answer: OfferOutcome,
    /// From the offer to the answer.
    pub took: Duration,
    /// Polls it was dispatched to.
    pub dispatches: u8,
    /// How long the poll had waited that took the run.
    pub waited: Option<Duration>,
}

impl Metrics {
    /// All at zero. `ack_mode` is told as a constant: whether "warm" is proven here.
    #[must_use]
    pub fn new(ack_mode: AckMode) -> Arc<Self> {
        let mut registry = Registry::with_prefix("pilotlight");
        let reg = &mut registry;
        register_constants(reg, ack_mode);
        let gauges = Gauges::register(reg);
        let offers = family(reg, "offers", "Offers, by what the supervisor was told");
        let took =
            histograms(reg, "offer_duration", "Time from an offer to its answer", ANSWER_TIME_BUCKETS_US);
        let deliveries = family(reg, "deliveries", "Runs told warm, by how well that is known");
        let failed = family(
            reg,
            "dispatches_failed",
            "Dispatches that failed, by why: the connection ended, or nothing was acknowledged until the deadline",
        );
        let tokens = family(reg, "deployment_tokens", "Polls, by what their deployment token was worth");
        let dropped = family(
            reg,
            "telemetry_dropped",
            "What was to be told about offers and was not, because its reader was too slow or not there",
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
                "Runs acknowledged by the runner's kernel, then reset: never read by the runner. The one way of losing a run that can be seen from here",
            ),
            dispatches: count(reg, "dispatches", "Dispatches of runs to polls"),
            ended_dispatches: labelled(&failed, "why", "ended"),
            timed_out_dispatches: labelled(&failed, "why", "deadline"),
            cascaded: count(reg, "offers_cascaded", "Offers dispatched to more than one poll"),
            waited: histogram(
                reg,
                "poll_wait",
                "How long polls had waited when they took a run",
                WAIT_TIME_BUCKETS_US,
            ),
            closed_polls: count(reg, "polls_gone", "Polls chosen whose connection was gone already"),
            expired_polls: count(reg, "polls_let_go", "Polls closed for clients without time-outs"),
            connections: ConnectionCounts {
                refused: count(
                    reg,
                    "connections_refused",
                    "Connections closed at once, because as many as may be were open",
                ),
                failed_handshakes: count(
                    reg,
                    "tls_handshakes_failed",
                    "Connections that ended before TLS was agreed on",
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
                "Sign-ins of operators with a key that lets nobody in",
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

    /// Where connections that came to nothing are counted.
    pub fn connections(&self) -> ConnectionCounts {
        self.connections.clone()
    }

    /// Where is counted what was to be told about offers and was not.
    pub fn dropped(&self) -> DroppedCounts {
        self.dropped.clone()
    }

    /// Where jobs are counted.
    pub fn jobs(&self) -> JobMetrics {
        self.jobs.clone()
    }

    /// Where deployment tokens are counted.
    pub fn tokens(&self) -> TokenCounts {
        self.tokens.clone()
    }

    /// The Prometheus text format.
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
        registry.register("polls_waiting", "Polls parked", gauges.waiting.clone());
        registry.register("runners_executing", "Runners that have a run", gauges.executing.clone());
        let help = "Polls for jobs that wait";
        registry.register("jobs_runners_waiting", help, gauges.job_runners_waiting.clone());
        registry.register("connections_open", "Connections open", gauges.connections.clone());
        let help = "Connections that may be open at once; more are refused";
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
    registry.register("build", "What runs here", version);
    let started = Gauge::<f64, AtomicU64>::default();
    started.set(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
    let help = "When the process started, in seconds since 1970";
    registry.register_with_unit("start_time", help, Unit::Seconds, started);
    let proven = UintGauge::default();
    proven.set(u64::from(ack_mode == AckMode::Kernel));
    let help = "1 when warm means acknowledged by the runner's kernel, 0 when it is unconfirmed";
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

/// Makes the histograms of a family.
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
