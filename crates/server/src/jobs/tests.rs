//! Tests of the job service on a real SQLite store.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::clock_offset::ClockOffset;
use pilotlight_core::delivery::AckMode;
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{CacheMode, CancelScope, Event, Job, JobOptions, JobPolicy, QueueLimits};
use pilotlight_core::pool::Order;
use pilotlight_core::time::Timestamp;
use pilotlight_net::clock::Clock;
use pilotlight_store::sqlite::Sqlite;
use pilotlight_store::{Limits, NewJob, Retention, RunnerOutput, SubmitOutcome};
use pilotlight_testkit::temp_dir::TempDir;
use tokio::time::timeout;

use crate::jobs::metrics::{JobMetrics, JobTelemetry};
use crate::jobs::service::{JobService, Settings};
use crate::telemetry::job_span::JobSpanSender;
use crate::telemetry::metrics::MetricsRegistry;

const WITH_WEBHOOK: &str = "hooked";

/// A job service whose store is in a temporary folder; dropping it deletes the folder.
pub(super) struct TestService {
    pub(super) jobs: Arc<JobService>,
    // Removed after the store is closed.
    _folder: TempDir,
}

impl TestService {
    pub(super) fn new() -> Self {
        let folder = TempDir::new();
        let webhook_types = Arc::new(HashSet::from([job_type(WITH_WEBHOOK)]));
        let policy = JobPolicy {
            heartbeat_timeout: Duration::from_secs(90),
            start_timeout: Duration::from_secs(2),
            lost_retries: 3,
            failed_ttl: Duration::from_mins(10),
        };
        let limits = Limits { console_bytes: 1024 };
        let store_settings = pilotlight_store::Settings {
            policy,
            webhook_types: Arc::clone(&webhook_types),
            limits,
            queue_limits: QueueLimits::default(),
        };
        let settings = Settings {
            order: Order::Newest,
            ack_mode: AckMode::Written,
            ack_deadline: Duration::from_millis(250),
            retention: Retention { keep_for: Duration::from_hours(1), max_bytes: 0, at_most: 10 },
            lease_timeout: Duration::from_secs(90),
            webhook_types,
        };
        let store = Sqlite::open(folder.path(), store_settings).unwrap();
        let metrics = MetricsRegistry::new(AckMode::Written).register(JobMetrics::register);
        let telemetry = JobTelemetry { metrics, spans: JobSpanSender::default() };
        let jobs = JobService::new(settings, store, Clock::start(), telemetry);
        Self { jobs, _folder: folder }
    }

    pub(super) async fn submit(&self, type_name: &str) -> Job {
        let options = JobOptions::default_at(Timestamp::default());
        let new = NewJob {
            id: self.jobs.new_id(),
            job_type: job_type(type_name),
            key: CacheKey::from_bytes([type_name.len() as u8; 32]),
            input: "{}".into(),
            options,
            cache_mode: CacheMode::Reuse,
            idempotency_key: None,
        };
        match self.jobs.submit(new).await.unwrap() {
            SubmitOutcome::New(job) => job,
            other @ (SubmitOutcome::Existing(_) | SubmitOutcome::Conflict | SubmitOutcome::QueueFull(_)) => {
                panic!("not a new job: {other:?}")
            }
        }
    }

    /// Whether the webhook task was woken since the last call.
    async fn webhooks_were_woken(&self) -> bool {
        timeout(Duration::ZERO, self.jobs.webhook_wake.notified()).await.is_ok()
    }
}

fn job_type(name: &str) -> JobType {
    JobType::parse(name).unwrap()
}

#[tokio::test]
async fn webhooks_are_woken_only_by_jobs_of_types_that_have_one() {
    let service = TestService::new();
    for (type_name, has_webhook) in [("quiet", false), (WITH_WEBHOOK, true)] {
        let job = service.submit(type_name).await;
        assert_eq!(service.webhooks_were_woken().await, has_webhook, "a new job of type {type_name}");
        service
            .jobs
            .apply_event(job.id, Event::Cancel(CancelScope::AllCallers), RunnerOutput::default())
            .await
            .unwrap();
        assert_eq!(service.webhooks_were_woken().await, has_webhook, "an ended job of type {type_name}");
    }
}

#[tokio::test]
async fn job_times_follow_the_store_clock() {
    let service = TestService::new();
    assert_eq!(service.jobs.sync_clock(None).await.unwrap(), None, "SQLite has no clock of its own");
    for (ahead_ms, type_name) in [(-3_600_000, "a"), (0, "bb"), (3_600_000, "ccc")] {
        let offset = ClockOffset::from_millis(ahead_ms);
        service.jobs.store_clock.set(offset);
        let before = offset.apply(service.jobs.clock.wall_time());
        let job = service.submit(type_name).await;
        let after = offset.apply(service.jobs.clock.wall_time());
        assert!(before <= job.created_at && job.created_at <= after, "{ahead_ms}");
    }
}
