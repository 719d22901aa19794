//! The driver over a real store in a folder.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::clock_offset::ClockOffset;
use pilotlight_core::delivery::AckMode;
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{CacheMode, CancelScope, Event, Job, JobOptions, JobPolicy, QueueLimits};
use pilotlight_core::pool::Order;
use pilotlight_core::time::Timestamp;
use pilotlight_store::sqlite::Sqlite;
use pilotlight_store::{Limits, NewJob, Retention, RunnerOutput, SubmitOutcome};
use tokio::time::timeout;

use super::driver::{Jobs, Settings};
use crate::clock::Clock;
use crate::telemetry::metrics::Metrics;

const HOOKED: &str = "hooked";

/// Jobs, in a folder that goes with them.
pub(super) struct House {
    pub(super) jobs: Arc<Jobs>,
    folder: PathBuf,
}

impl House {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(format!("pilotlight-driver-{process}-{count}"));
        let hooked = Arc::new(HashSet::from([job_type(HOOKED)]));
        let policy = JobPolicy {
            heartbeat_timeout: Duration::from_secs(90),
            start_timeout: Duration::from_secs(2),
            lost_retries: 3,
            failed_ttl: Duration::from_mins(10),
        };
        let limits = Limits { console_bytes: 1024 };
        let stored = pilotlight_store::Settings {
            policy,
            webhook_types: Arc::clone(&hooked),
            limits,
            queue_limits: QueueLimits::default(),
        };
        let settings = Settings {
            order: Order::Newest,
            ack_mode: AckMode::Written,
            ack_deadline: Duration::from_millis(250),
            retention: Retention { keep_for: Duration::from_hours(1), max_bytes: 0, at_most: 10 },
            lease: Duration::from_secs(90),
            hooked,
        };
        let store = Sqlite::open(&folder, stored).unwrap();
        let jobs = Jobs::new(settings, store, Clock::start(), Metrics::new(AckMode::Written).jobs());
        Self { jobs, folder }
    }

    pub(super) async fn submit(&self, of: &str) -> Job {
        let options = JobOptions::default_at(Timestamp::default());
        let new = NewJob {
            id: self.jobs.new_id(),
            job_type: job_type(of),
            key: CacheKey::from_bytes([of.len() as u8; 32]),
            input: "{}".into(),
            options,
            cache_mode: CacheMode::Reuse,
            idempotency_key: None,
        };
        match self.jobs.submit(new).await.unwrap() {
            SubmitOutcome::New(job) => job,
            other @ (SubmitOutcome::Existing(_) | SubmitOutcome::Conflict | SubmitOutcome::QueueFull(_)) => {
                panic!("is not new: {other:?}")
            }
        }
    }

    /// Whether the one who tells others was woken since this was asked last.
    async fn was_woken(&self) -> bool {
        timeout(Duration::ZERO, self.jobs.hooks.notified()).await.is_ok()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn job_type(name: &str) -> JobType {
    JobType::parse(name).unwrap()
}

#[tokio::test]
async fn who_tells_others_is_woken_only_when_there_is_something_to_tell() {
    let house = House::new();
    for (of, is_hooked) in [("quiet", false), (HOOKED, true)] {
        let job = house.submit(of).await;
        assert_eq!(house.was_woken().await, is_hooked, "a new one of {of}");
        house
            .jobs
            .say(job.id, Event::Cancel(CancelScope::AllCallers), RunnerOutput::default())
            .await
            .unwrap();
        assert_eq!(house.was_woken().await, is_hooked, "an end of {of}");
    }
}

#[tokio::test]
async fn jobs_go_by_the_stores_clock() {
    let house = House::new();
    assert_eq!(house.jobs.look_at_clock(None).await.unwrap(), None, "a file has no clock");
    for (ahead, of) in [(-3_600_000, "a"), (0, "bb"), (3_600_000, "ccc")] {
        let offset = ClockOffset::from_millis(ahead);
        house.jobs.ahead.set(offset);
        let before = offset.apply(house.jobs.clock.wall());
        let job = house.submit(of).await;
        let after = offset.apply(house.jobs.clock.wall());
        assert!(before <= job.created_at && job.created_at <= after, "{ahead}");
    }
}
