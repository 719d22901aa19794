//! What the store's own tests of PostgreSQL share.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::job::{Room, Rules};

use super::Postgres;
use crate::records::{Limits, Settings};

/// The store at this address, with rules of no interest.
pub(super) async fn open(url: &str) -> Arc<Postgres> {
    let rules = Rules {
        heartbeat_timeout: Duration::from_secs(90),
        dispatch_within: Duration::from_secs(2),
        lost_retries: 1,
        failed_ttl: Duration::from_mins(10),
    };
    let limits = Limits { console_bytes: 1_000 };
    let (hooked, room) = (Arc::new(HashSet::new()), Room::default());
    Postgres::open(url, Settings { rules, hooked, limits, room }).await.unwrap()
}
