//! Opens the store and puts the jobs' driver over it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use pilotlight_core::delivery::Proof;
use pilotlight_core::job::Rules;
use pilotlight_core::limits::PRUNE_AT_A_TIME;
use pilotlight_core::pool::Order;
use pilotlight_store::{Limits, Retention, Store, sqlite};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::Config;
use crate::jobs::{Jobs, Settings};
use crate::telemetry::jobs::JobMetrics;

/// Starts the jobs' driver and its tasks.
pub(super) fn start(
    config: &Config,
    (proof, clock): (Proof, Clock),
    metrics: JobMetrics,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Arc<Jobs>> {
    let jobs = Jobs::new(settings(config, proof), store(config)?, clock, metrics);
    tasks.spawn(Arc::clone(&jobs).keep());
    tasks.spawn(Arc::clone(&jobs).prune());
    tasks.spawn(Arc::clone(&jobs).hear());
    Ok(jobs)
}

fn settings(config: &Config, proof: Proof) -> Settings {
    Settings {
        order: Order::Newest,
        proof,
        ack_deadline: config.warm_start.ack_deadline,
        retention: Retention {
            keep_for: Duration::from_secs(30 * 24 * 3600),
            max_bytes: 0,
            at_most: PRUNE_AT_A_TIME,
        },
        lease: Duration::from_secs(90),
    }
}

/// Opens the store that is configured.
fn store(_config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let settings = pilotlight_store::Settings {
        rules: Rules {
            heartbeat_timeout: Duration::from_secs(90),
            dispatch_within: Duration::from_secs(2),
            lost_retries: 3,
            failed_ttl: Duration::from_secs(600),
        },
        hooked: Arc::new(HashSet::new()),
        limits: Limits { console_bytes: 1 << 20 },
    };
    let folder = Path::new("pilotlight-data");
    sqlite::Sqlite::open(folder, settings)
        .with_context(|| format!("failed to open the store in {}", folder.display()))
}
