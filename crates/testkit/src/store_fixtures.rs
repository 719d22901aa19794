//! Values for tests of the store: settings, times, names, and submissions.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{CacheMode, JobId, JobOptions, JobPolicy, QueueLimits};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Limits, NewJob, Settings};

/// The default settings of a service, with a small limit for console output.
pub fn settings() -> Settings {
    Settings {
        policy: JobPolicy {
            heartbeat_timeout: Duration::from_secs(90),
            start_timeout: Duration::from_secs(2),
            lost_retries: 3,
            failed_ttl: Duration::from_mins(10),
        },
        webhook_types: Arc::new(HashSet::new()),
        limits: Limits { console_bytes: 1024 },
        queue_limits: QueueLimits::default(),
    }
}

/// The time `millis` milliseconds after 1970.
pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A job type that is known to be valid.
pub fn job_type(name: &str) -> JobType {
    JobType::parse(name).expect("a valid job type")
}

/// A runner id that is known to be valid.
pub fn runner(name: &str) -> RunnerId {
    RunnerId::parse(name).expect("a valid runner id")
}

/// A job id that no other call returns.
pub fn new_job_id() -> JobId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    JobId::new(at(0), random)
}

/// The cache key of a text of up to 32 bytes.
pub fn cache_key(text: &str) -> CacheKey {
    let mut bytes = [0; 32];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    CacheKey::from_bytes(bytes)
}

/// A submission of this job type. Submissions with equal names are equal.
pub fn submission(job_type_name: &str, name: &str) -> NewJob {
    NewJob {
        id: new_job_id(),
        job_type: job_type(job_type_name),
        key: cache_key(name),
        input: format!("{{\"name\":\"{name}\"}}"),
        options: JobOptions::default_at(at(0)),
        cache_mode: CacheMode::Reuse,
        idempotency_key: None,
    }
}
