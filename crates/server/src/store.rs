//! Opens the store that the configuration names.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::Context;
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{JobPolicy, QueueLimits};
use pilotlight_store::postgres::Postgres;
use pilotlight_store::{Limits, Store, sqlite};

use crate::config::Config;

/// Opens the configured store.
///
/// # Errors
/// When the store cannot be opened.
pub async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let store_settings = store_settings(config);
    if let Some(url) = &config.store.url {
        let opened = Postgres::open(url.reveal(), store_settings).await;
        return opened.context("failed to open the store in PostgreSQL (store.url)");
    }
    let folder = &config.server.data_dir;
    let opened = sqlite::Sqlite::open(folder, store_settings);
    opened.with_context(|| {
        format!(
            "failed to open the store in {} (server.data_dir; `serve --only warm-start,dashboard` needs none)",
            folder.display()
        )
    })
}

fn store_settings(config: &Config) -> pilotlight_store::Settings {
    let jobs = &config.jobs;
    pilotlight_store::Settings {
        policy: JobPolicy {
            heartbeat_timeout: jobs.heartbeat_timeout,
            start_timeout: jobs.dispatch_timeout,
            lost_retries: jobs.lost_retries(),
            failed_ttl: jobs.failed_ttl,
        },
        webhook_types: types_with_webhook(config),
        limits: Limits { console_bytes: jobs.limits.console_bytes },
        queue_limits: QueueLimits { jobs: jobs.max_waiting, bytes: jobs.max_waiting_bytes },
    }
}

/// The job types that have a webhook.
pub(crate) fn types_with_webhook(config: &Config) -> Arc<HashSet<JobType>> {
    let types = config.jobs.types.iter().filter(|(_, settings)| settings.webhook_url.is_some());
    Arc::new(types.map(|(job_type, _)| job_type.clone()).collect())
}
