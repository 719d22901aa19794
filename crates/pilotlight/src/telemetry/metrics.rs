//! Counters of what happened since the start. Every label has a fixed set of values.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use pilotlight_core::delivery::{Answer, Delivery, Proof};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// A counter of events.
pub type Count = Counter<u64, AtomicU64>;
type Level = Gauge<u64, AtomicU64>;
type Labels = [(&'static str, &'static str); 1];

/// All of them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    warm: Count,
    cold: Count,
    unanswered: Count,
    cascaded: Count,
    dispatches: Count,
    answered_in_us: Count,
    deliveries: Deliveries,
    tokens: TokenCounts,
    levels: Levels,
    /// Acknowledged runs whose program never read them.
    pub unread: Count,
    /// Polls chosen whose connection was gone already.
    pub gone_polls: Count,
    /// Polls closed because their clients have no time-outs.
    pub let_go_polls: Count,
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

#[derive(Debug, Default)]
struct Levels {
    waiting: Level,
    executing: Level,
    connections: Level,
}

/// Numbers that are read at the moment they are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Polls parked.
    pub waiting: usize,
    /// Runners that have a run.
    pub executing: usize,
    /// Connections open.
    pub connections: usize,
}

/// An offer whose supervisor has no answer yet; dropped in that state, it was left alone.
#[derive(Debug)]
pub struct UnansweredOffer<'a> {
    unanswered: Option<&'a Count>,
}

impl UnansweredOffer<'_> {
    /// The supervisor is answered.
    pub const fn is_answered(&mut self) {
        self.unanswered = None;
    }
}

impl Drop for UnansweredOffer<'_> {
    fn drop(&mut self) {
        if let Some(unanswered) = self.unanswered {
            unanswered.inc();
        }
    }
}

impl Metrics {
    /// All at zero. `proof` is told as a constant: whether "warm" is proven here.
    #[must_use]
    pub fn new(proof: Proof) -> Arc<Self> {
        let mut registry = Registry::with_prefix("pilotlight");
        let offers = family(&mut registry, "offers", "Offers answered, by what the supervisor was told");
        let deliveries = family(&mut registry, "deliveries", "Runs told warm, by how well that is known");
        let tokens =
            family(&mut registry, "deployment_tokens", "Polls, by what their deployment token was worth");
        let levels = Levels::register(&mut registry);
        register_proof(&mut registry, proof);
        Arc::new(Self {
            warm: labelled(&offers, "outcome", "warm"),
            cold: labelled(&offers, "outcome", "cold"),
            unanswered: labelled(&offers, "outcome", "unanswered"),
            deliveries: Deliveries {
                acknowledged: labelled(&deliveries, "delivery", "acknowledged"),
                unconfirmed: labelled(&deliveries, "delivery", "unconfirmed"),
            },
            tokens: TokenCounts {
                verified: labelled(&tokens, "outcome", "verified"),
                unverified: labelled(&tokens, "outcome", "unverified"),
                refused: labelled(&tokens, "outcome", "refused"),
            },
            cascaded: count(&mut registry, "offers_cascaded", "Offers dispatched to more than one poll"),
            dispatches: count(&mut registry, "dispatches", "Dispatches of runs to polls"),
            answered_in_us: count(&mut registry, "offer_microseconds", "Time from offers to their answers"),
            unread: count(&mut registry, "unread", "Runs acknowledged, then reset: never read by the runner"),
            gone_polls: count(&mut registry, "polls_gone", "Polls chosen whose connection was gone already"),
            let_go_polls: count(&mut registry, "polls_let_go", "Polls closed for clients without time-outs"),
            levels,
            registry,
        })
    }

    /// Counts an answered offer.
    pub fn answered(&self, answer: Answer, took: Duration, dispatches: u8) {
        match answer {
            Answer::Warm(delivery) => {
                self.warm.inc();
                self.delivered(delivery);
            }
            Answer::Cold => _ = self.cold.inc(),
        }
        self.dispatches.inc_by(dispatches.into());
        self.answered_in_us.inc_by(u64::try_from(took.as_micros()).unwrap_or(0));
        if dispatches > 1 {
            self.cascaded.inc();
        }
    }

    /// Where deployment tokens are counted.
    pub fn tokens(&self) -> TokenCounts {
        self.tokens.clone()
    }

    /// Watches an offer until it is answered.
    pub const fn unanswered_offer(&self) -> UnansweredOffer<'_> {
        UnansweredOffer { unanswered: Some(&self.unanswered) }
    }

    /// The Prometheus text format.
    #[must_use]
    pub fn text(&self, now: Now) -> String {
        self.levels.set(now);
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }

    fn delivered(&self, delivery: Delivery) {
        match delivery {
            Delivery::Acknowledged => _ = self.deliveries.acknowledged.inc(),
            Delivery::Unconfirmed => _ = self.deliveries.unconfirmed.inc(),
            Delivery::Unread => {}
        }
    }
}

impl Levels {
    fn register(registry: &mut Registry) -> Self {
        let levels = Self::default();
        registry.register("polls_waiting", "Polls parked", levels.waiting.clone());
        registry.register("runners_executing", "Runners that have a run", levels.executing.clone());
        registry.register("connections_open", "Connections open", levels.connections.clone());
        levels
    }

    fn set(&self, now: Now) {
        self.waiting.set(now.waiting as u64);
        self.executing.set(now.executing as u64);
        self.connections.set(now.connections as u64);
    }
}

fn register_proof(registry: &mut Registry, proof: Proof) {
    let proven = Level::default();
    proven.set(u64::from(proof == Proof::Kernel));
    let help = "1 when warm means acknowledged by the runner's kernel, 0 when it is unconfirmed";
    registry.register("warm_is_proven", help, proven);
}

fn count(registry: &mut Registry, name: &str, help: &str) -> Count {
    let counter = Count::default();
    registry.register(name, help, counter.clone());
    counter
}

fn family(registry: &mut Registry, name: &str, help: &str) -> Family<Labels, Count> {
    let family = Family::<Labels, Count>::default();
    registry.register(name, help, family.clone());
    family
}

fn labelled(family: &Family<Labels, Count>, label: &'static str, value: &'static str) -> Count {
    family.get_or_create(&[(label, value)]).clone()
}
