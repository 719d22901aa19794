//! Helpers of this module's unit tests.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::job::{JobPolicy, QueueLimits};

use super::Postgres;
use crate::records::{Limits, Settings};

/// Opens the store at this address with default-like settings; no test depends on their values.
pub(super) async fn open(url: &str) -> Arc<Postgres> {
    let policy = JobPolicy {
        heartbeat_timeout: Duration::from_secs(90),
        start_timeout: Duration::from_secs(2),
        lost_retries: 1,
        failed_ttl: Duration::from_mins(10),
    };
    let limits = Limits { console_bytes: 1_000 };
    let (webhook_types, queue_limits) = (Arc::new(HashSet::new()), QueueLimits::default());
    Postgres::connect(url, Settings { policy, webhook_types, limits, queue_limits }).await.unwrap()
}
