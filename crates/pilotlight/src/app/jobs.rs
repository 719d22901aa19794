//! Opens the store and puts the jobs' driver over it.

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
use crate::jobs::checks::{Address, Check, Checks};
use crate::jobs::hooks::{Hooks, Target};
use crate::jobs::{Jobs, Settings};
use crate::telemetry::jobs::JobMetrics;

/// How old the verdict on a result may become before it is looked at again.
const CHECK_EVERY: Duration = Duration::from_secs(10 * 60);

/// Starts the jobs' driver and its tasks.
pub(super) async fn start(
    config: &Config,
    (ack_mode, clock): (AckMode, Clock),
    metrics: JobMetrics,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<Arc<Jobs>> {
    let jobs = Jobs::new(settings(config, ack_mode), store(config).await?, clock, metrics);
    let known = jobs.look_at_clock(None).await.context("failed to ask the store for its time")?;
    if known.is_some() {
        tasks.spawn(Arc::clone(&jobs).keep_time(known));
    }
    tasks.spawn(Arc::clone(&jobs).keep());
    tasks.spawn(Arc::clone(&jobs).prune());
    tasks.spawn(Arc::clone(&jobs).hear());
    tasks.spawn(Arc::clone(&jobs).drop_unwanted());
    if let Some(hooks) = hooks(config)? {
        tasks.spawn(Arc::clone(&jobs).tell(hooks));
    }
    if let Some(checks) = checks(config)? {
        tasks.spawn(Arc::clone(&jobs).check(checks));
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
        lease: config.jobs.heartbeat_timeout,
        hooked: hooked(config),
    }
}

/// Opens the store that is configured.
///
/// # Errors
/// When it cannot be opened.
pub async fn store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let remembered = remembered(config);
    if let Some(url) = &config.store.url {
        let opened = Postgres::open(url.reveal(), remembered).await;
        return Ok(opened.context("failed to open the store in PostgreSQL (store.url)")?);
    }
    let folder = &config.server.data_dir;
    let opened = sqlite::Sqlite::open(folder, remembered);
    opened.with_context(|| {
        format!(
            "failed to open the store in {} (server.data_dir; `serve --only warm-start,dashboard` needs none)",
            folder.display()
        )
    })
}

fn remembered(config: &Config) -> pilotlight_store::Settings {
    let jobs = &config.jobs;
    pilotlight_store::Settings {
        policy: JobPolicy {
            heartbeat_timeout: jobs.heartbeat_timeout,
            start_timeout: jobs.dispatch_timeout,
            lost_retries: jobs.lost_retries(),
            failed_ttl: jobs.failed_ttl,
        },
        webhook_types: hooked(config),
        limits: Limits { console_bytes: jobs.limits.console_bytes },
        queue_limits: QueueLimits { jobs: jobs.max_waiting, bytes: jobs.max_waiting_bytes },
    }
}

fn hooked(config: &Config) -> Arc<HashSet<JobType>> {
    Arc::new(with_hooks(config).map(|(job_type, _)| job_type.clone()).collect())
}

fn with_hooks(config: &Config) -> impl Iterator<Item = (&JobType, &JobTypeSettings)> {
    config.jobs.types.iter().filter(|(_, settings)| settings.webhook_url.is_some())
}

fn hooks(config: &Config) -> anyhow::Result<Option<Hooks>> {
    let targets: HashMap<_, _> = with_hooks(config)
        .map(|(job_type, settings)| Ok((job_type.clone(), target(settings)?)))
        .collect::<anyhow::Result<_>>()?;
    if targets.is_empty() {
        return Ok(None);
    }
    Ok(Some(Hooks::new(web()?, targets)?))
}

fn target(settings: &JobTypeSettings) -> anyhow::Result<Target> {
    let (url, secret) = (settings.webhook_url.as_deref(), settings.webhook_secret.as_ref());
    let (url, secret) = url.zip(secret).context("a webhook has a URL and a secret")?;
    let event = |event: &WebhookEvent| match event {
        WebhookEvent::Created => WebhookTrigger::Created,
        WebhookEvent::Completed => WebhookTrigger::Completed,
        WebhookEvent::Failed => WebhookTrigger::Failed,
    };
    Ok(Target {
        url: url.parse().context("failed to read a webhook's URL")?,
        key: hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()),
        events: settings.webhook_events.iter().map(event).collect(),
    })
}

fn checks(config: &Config) -> anyhow::Result<Option<Checks>> {
    let check = |settings: &JobTypeSettings| Check {
        address: settings
            .check_url
            .clone()
            .map(|pointer| Address { pointer, hosts: settings.check_hosts.clone() }),
        time: settings.check_time.clone(),
        every: CHECK_EVERY,
    };
    let checks = config.jobs.types.iter().map(|(job_type, settings)| (job_type.clone(), check(settings)));
    let checks: HashMap<_, _> =
        checks.filter(|(_, check)| check.address.is_some() || check.time.is_some()).collect();
    if checks.is_empty() {
        return Ok(None);
    }
    Ok(Some(Checks::new(web()?, checks)?))
}

/// What leads to a client that believes in the certificates of the public web; small images bring none of their own.
///
/// # Errors
/// When a certificate cannot be read.
pub fn web() -> anyhow::Result<ClientBuilder> {
    // It was built without a choice of its own. Whoever chose before chose the same.
    _ = crypto::aws_lc_rs::default_provider().install_default();
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|root| Certificate::from_der(root));
    Ok(Client::builder().tls_certs_merge(roots.collect::<Result<Vec<_>, _>>()?))
}
