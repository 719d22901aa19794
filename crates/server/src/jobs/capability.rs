//! Composes the jobs capability: the service on the configured store, its routes and its background tasks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_lc_rs::hmac;
use pilotlight_core::clock_offset::ClockOffset;
use pilotlight_core::delivery::AckMode;
use pilotlight_core::limits::PRUNE_BATCH;
use pilotlight_core::pool::Order;
use pilotlight_store::{Retention, WebhookTrigger};

use crate::background::{BackgroundTask, TaskInfo};
use crate::capability::{Builder, Capability, Drain};
use crate::composition::Context;
use crate::config::{Config, JobTypeSettings, WebhookEvent};
use crate::https_client::https_client_builder;
use crate::jobs::http::{self, JobsState};
use crate::jobs::metrics::{JobMetrics, JobTelemetry};
use crate::jobs::panel::JobsPanel;
use crate::jobs::status::JobsStatus;
use crate::jobs::validation::{ResultValidator, UrlRule, ValidationRule};
use crate::jobs::webhooks::{WebhookTarget, Webhooks};
use crate::jobs::{JobService, Settings};
use crate::store::{open_store, types_with_webhook};

/// How long a result's validity is used before it is checked again.
const VALIDATION_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Jobs: the routes for callers and runners, and the store.
pub(crate) const BUILDER: Builder = Builder {
    name: "jobs",
    summary: "Jobs: the routes for callers and runners, and the store",
    build: |context| Box::pin(build(context)),
};

async fn build(context: &Context<'_>) -> anyhow::Result<Capability> {
    let (config, clock) = (context.config, context.clock);
    let metrics = context.registry.register(JobMetrics::register);
    let telemetry = JobTelemetry { metrics: metrics.clone(), spans: context.events.job_spans() };
    let settings = settings(config, context.ack_mode);
    let jobs = JobService::new(settings, open_store(config).await?, clock, telemetry);
    let offset = jobs.sync_clock(None).await.context("failed to read the store's clock")?;
    let panel = Arc::new(JobsPanel::new(Arc::clone(&jobs), clock));
    Ok(Capability {
        name: BUILDER.name,
        routes: http::routes(JobsState::new(Arc::clone(&context.edge), Arc::clone(&jobs), &config.jobs)),
        tasks: tasks(context, &jobs, &panel, offset)?,
        status: Some(Arc::new(JobsStatus::new(Arc::clone(&jobs), metrics))),
        panel: Some(panel),
        fast_path: None,
        drain: drain(&jobs),
    })
}

/// The background tasks. Those for webhooks and validation are there only where a job type needs them.
fn tasks(
    context: &Context<'_>,
    jobs: &Arc<JobService>,
    panel: &Arc<JobsPanel>,
    offset: Option<ClockOffset>,
) -> anyhow::Result<Vec<BackgroundTask>> {
    let (config, clock) = (context.config, context.clock);
    let info = |name, description| TaskInfo { name, description };
    let mut tasks = vec![
        info("sweep", "Dispatches jobs that are due, and gives back jobs of silent runners").task(
            clock,
            jobs,
            JobService::run_sweeps,
        ),
        info("prune", "Deletes jobs and runners after their retention").task(
            clock,
            jobs,
            JobService::run_pruning,
        ),
        info("notifications", "Applies changes made by other instances").task(
            clock,
            jobs,
            JobService::run_notifications,
        ),
        info("job counts", "Counts the jobs for the dashboard").task(clock, panel, JobsPanel::run_counts),
        info("webhook cleanup", "Drops webhooks of job types that no longer have one").task(
            clock,
            jobs,
            JobService::run_webhook_cleanup,
        ),
    ];
    if offset.is_some() {
        let info = info("store clock", "Measures the database's clock");
        tasks.push(info.task(clock, jobs, move |jobs, results| jobs.run_clock_sync(offset, results)));
    }
    if let Some(webhooks) = webhooks(config)? {
        let info = info("webhooks", "Sends webhooks that are due");
        tasks.push(info.task(clock, jobs, |jobs, results| jobs.run_webhooks(webhooks, results)));
    }
    if let Some(validator) = validator(config)? {
        let info = info("validation", "Checks whether cached results are still valid");
        tasks.push(info.task(clock, jobs, |jobs, results| jobs.run_validation(validator, results)));
    }
    Ok(tasks)
}

fn drain(jobs: &Arc<JobService>) -> Drain {
    let (begin, finish) = (Arc::clone(jobs), Arc::clone(jobs));
    Drain::new(move || begin.drain()).then_wait(async move { finish.wait_idle().await })
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
        webhook_types: types_with_webhook(config),
    }
}

fn webhooks(config: &Config) -> anyhow::Result<Option<Webhooks>> {
    let targets: HashMap<_, _> = config
        .jobs
        .types
        .iter()
        .filter(|(_, settings)| settings.webhook_url.is_some())
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
