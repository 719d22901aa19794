//! The metrics of warm starts: counters and durations of offers and dispatches, and gauges of polls and active runs.

use pilotlight_core::delivery::{Delivery, OfferOutcome};
use pilotlight_core::history::OfferRecord;
use prometheus_client::registry::Registry;

use crate::telemetry::histogram::Histogram;
use crate::telemetry::metrics::{Count, UintGauge, count, family, gauge, histogram, histograms, labelled};

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

/// The counters, durations and gauges of warm starts.
#[derive(Debug)]
pub(crate) struct WarmStartMetrics {
    parked_polls: UintGauge,
    active_runs: UintGauge,
    warm: Count,
    cold: Count,
    warm_took: Histogram,
    cold_took: Histogram,
    waited: Histogram,
    cascaded: Count,
    dispatches: Count,
    deliveries: Deliveries,
    tokens: TokenCounts,
    /// Offers whose supervisor left before its answer.
    pub unanswered: Count,
    /// Dispatches that failed because the connection ended.
    pub ended_dispatches: Count,
    /// Dispatches that failed because no acknowledgement arrived before the deadline.
    pub timed_out_dispatches: Count,
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
pub(crate) struct TokenCounts {
    /// Tokens that verify.
    pub verified: Count,
    /// Tokens that do not verify, but were accepted.
    pub unverified: Count,
    /// Tokens and plain ids that were refused.
    pub refused: Count,
}

impl WarmStartMetrics {
    /// Registers the metrics, all at zero.
    pub(crate) fn register(reg: &mut Registry) -> Self {
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
        Self {
            parked_polls: gauge(reg, "polls_waiting", "Parked polls for runs"),
            active_runs: gauge(reg, "runners_executing", "Runners that execute a run"),
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
            tokens: TokenCounts {
                verified: labelled(&tokens, "outcome", "verified"),
                unverified: labelled(&tokens, "outcome", "unverified"),
                refused: labelled(&tokens, "outcome", "refused"),
            },
        }
    }

    /// Counts an answered offer.
    pub(crate) fn record_offer(&self, offer: &OfferRecord) {
        match offer.outcome {
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
        if let Some(assigned) = &offer.runner {
            self.waited.observe(assigned.waited);
        }
        self.dispatches.inc_by(offer.dispatches.into());
        if offer.dispatches > 1 {
            self.cascaded.inc();
        }
    }

    /// Sets the gauges.
    pub(super) fn set_gauges(&self, parked_polls: usize, active_runs: usize) {
        self.parked_polls.set(parked_polls as u64);
        self.active_runs.set(active_runs as u64);
    }

    /// The counters of deployment tokens; clones share them.
    pub(crate) fn tokens(&self) -> TokenCounts {
        self.tokens.clone()
    }

    fn record_delivery(&self, delivery: Delivery) {
        match delivery {
            Delivery::Acknowledged => _ = self.deliveries.acknowledged.inc(),
            Delivery::Unconfirmed => _ = self.deliveries.unconfirmed.inc(),
            Delivery::Unread => {}
        }
    }
}
