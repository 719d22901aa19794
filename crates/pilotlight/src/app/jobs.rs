//! Opens the store and composes the job service on it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use aws_lc_rs::hmac;
use pilotlight_core::delivery::AckMode;
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{JobPolicy, QueueLimits};
use pilotlight_core::limits::PRUNE_BATCH;
use pilotlight_core::pool::Order;
use pilotlight_store::postgres::Postgres;
use pilotlight_store::{Limits, Retention, Store, WebhookTrigger, sqlite};
use reqwest::{Certificate, Client, ClientBuilder};
use tokio::task::JoinSet;
use tokio_rustls::rustls::crypto;

use crate::clock::Clock;
use crate::config::{Config, JobTypeSettings, WebhookEvent};
use crate::jobs::validation::{ResultValidator, UrlRule, ValidationRule};
use crate::jobs::webhooks::{WebhookTarget, Webhooks};
use crate::jobs::{JobService, Settings};
use crate::telemetry::jobs::JobTelemetry;

/// How long a result's validity is used before it is checked again.
const VALIDATION_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Starts the job service and its background tasks.
pub(super) async fn start(
    config: &Config,
    (ack_mode, clock): (AckMode, Clock),
    telemetry: JobTelemetry,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Arc<JobService>> {
    let jobs = JobService::new(settings(config, ack_mode), open_store(config).await?, clock, telemetry);
    let offset = jobs.sync_clock(None).await.context("failed to read the store's clock")?;
    if offset.is_some() {
        tasks.spawn(Arc::clone(&jobs).run_clock_sync(offset));
    }
    tasks.spawn(Arc::clone(&jobs).run_sweeps());
    tasks.spawn(Arc::clone(&jobs).run_pruning());
    tasks.spawn(Arc::clone(&jobs).run_notifications());
    tasks.spawn(Arc::clone(&jobs).run_webhook_cleanup());
    if let Some(webhooks) = webhooks(config)? {
        tasks.spawn(Arc::clone(&jobs).run_webhooks(webhooks));
    }
    if let Some(validator) = validator(config)? {
        tasks.spawn(Arc::clone(&jobs).run_validation(validator));
    }
    Ok(jobs)
}

fn settings(config: &Config, ack_mode: AckMode) -> Settings {
    Settings {
        order: Order::Newest,
        ack_mode,
        ack_deadline: config.warm_start.ack_deadline,
        retention: Retention {
            keep_for: config.jobs.keep_for,
            max_bytes: config.jobs.max_bytes,
            at_most: PRUNE_BATCH,
        },
        lease_timeout: config.jobs.heartbeat_timeout,
        webhook_types: webhook_types(config),
    }
}

/// Opens the configured store.
///
/// # Errors
/// When the store cannot be opened.
pub async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let store_settings = store_settings(config);
    if let Some(url) = &config.store.url {
        let opened = Postgres::open(url.reveal(), store_settings).await;
        return Ok(opened.context("failed to open the store in PostgreSQL (store.url)")?);
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
        webhook_types: webhook_types(config),
        limits: Limits { console_bytes: jobs.limits.console_bytes },
        queue_limits: QueueLimits { jobs: jobs.max_waiting, bytes: jobs.max_waiting_bytes },
    }
}

fn webhook_types(config: &Config) -> Arc<HashSet<JobType>> {
    Arc::new(types_with_webhook(config).map(|(job_type, _)| job_type.clone()).collect())
}

fn types_with_webhook(config: &Config) -> impl Iterator<Item = (&JobType, &JobTypeSettings)> {
    config.jobs.types.iter().filter(|(_, settings)| settings.webhook_url.is_some())
}

fn webhooks(config: &Config) -> anyhow::Result<Option<Webhooks>> {
    let targets: HashMap<_, _> = types_with_webhook(config)
        .map(|(job_type, settings)| Ok((job_type.clone(), webhook_target(settings)?)))
        .collect::<anyhow::Result<_>>()?;
    if targets.is_empty() {
        return Ok(None);
    }
    Ok(Some(Webhooks::new(https_client_builder()?, targets)?))
}

fn webhook_target(settings: &JobTypeSettings) -> anyhow::Result<WebhookTarget> {
    let (url, secret) = (settings.webhook_url.as_deref(), settings.webhook_secret.as_ref());
    let (url, secret) = url.zip(secret).context("a webhook needs both a URL and a secret")?;
    let event = |event: &WebhookEvent| match event {
        WebhookEvent::Created => WebhookTrigger::Created,
        WebhookEvent::Completed => WebhookTrigger::Completed,
        WebhookEvent::Failed => WebhookTrigger::Failed,
    };
    Ok(WebhookTarget {
        url: url.parse().context("failed to parse the URL of a webhook")?,
        key: hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()),
        events: settings.webhook_events.iter().map(event).collect(),
    })
}

fn validator(config: &Config) -> anyhow::Result<Option<ResultValidator>> {
    let rule = |settings: &JobTypeSettings| ValidationRule {
        url_rule: settings
            .check_url
            .clone()
            .map(|pointer| UrlRule { pointer, hosts: settings.check_hosts.clone() }),
        expiry_pointer: settings.check_time.clone(),
        interval: VALIDATION_INTERVAL,
    };
    let validator = config.jobs.types.iter().map(|(job_type, settings)| (job_type.clone(), rule(settings)));
    let validator: HashMap<_, _> =
        validator.filter(|(_, rule)| rule.url_rule.is_some() || rule.expiry_pointer.is_some()).collect();
    if validator.is_empty() {
        return Ok(None);
    }
    Ok(Some(ResultValidator::new(https_client_builder()?, validator)?))
}

/// A builder for HTTP clients that trust the root certificates of the public web. They are compiled in, because small
/// container images have none.
///
/// # Errors
/// When a certificate cannot be read.
pub fn https_client_builder() -> anyhow::Result<ClientBuilder> {
    // reqwest is built without a default TLS provider. The error means that one is installed already; all code here
    // installs the same one.
    _ = crypto::aws_lc_rs::default_provider().install_default();
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|root| Certificate::from_der(root));
    Ok(Client::builder().tls_certs_merge(roots.collect::<Result<Vec<_>, _>>()?))
}
