//! Converts between wire types and `core`'s types. Headers and offer bodies are validated here, once; `core` does not
//! check them again.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use pilotlight_core::active_runs::ActiveRun;
use pilotlight_core::delivery::{Delivery, OfferOutcome};
use pilotlight_core::history::OfferRecord;
use pilotlight_core::ids::{Amount, DeploymentId, RunId, Runner, RunnerId, Version, WorkerName};
use pilotlight_core::limits::RUN_BYTES;
use pilotlight_core::pool::PoolKey;
use pilotlight_core::time::{Moment, micros, millis};
use pilotlight_net::clock::Clock;
use pilotlight_wire::dashboard;
use pilotlight_wire::object::Object;
use pilotlight_wire::warm_start::{DequeuedMessage, OfferRequest, header};

use crate::http::error::{ApiError, ConnectionReuse, head};
use crate::http::headers::{Headers, invalid, optional, required};
use crate::warm_start::dispatcher::ParkedPollView;
use crate::warm_start::run::Run;

/// The pool key and the runner in a poll's headers (`docs/protocols/warm-start.md`).
///
/// # Errors
/// 400 with a text that names the wrong header.
pub fn poll_params(headers: &impl Headers) -> Result<(PoolKey, Runner), ApiError> {
    let deployment = required(headers, header::DEPLOYMENT_ID)?;
    let version = required(headers, header::DEPLOYMENT_VERSION)?;
    let runner = required(headers, header::CONTROLLER_ID)?;
    let worker = optional(headers, header::WORKER_INSTANCE_NAME)?.unwrap_or("unknown");
    let key = PoolKey {
        deployment: DeploymentId::parse(deployment).map_err(|why| invalid(header::DEPLOYMENT_ID, why))?,
        version: Version::parse(version).map_err(|why| invalid(header::DEPLOYMENT_VERSION, why))?,
        cpu: amount(headers, header::MACHINE_CPU)?,
        memory: amount(headers, header::MACHINE_MEMORY)?,
    };
    let runner = Runner {
        id: RunnerId::parse(runner).map_err(|why| invalid(header::CONTROLLER_ID, why))?,
        worker: WorkerName::parse(worker).map_err(|why| invalid(header::WORKER_INSTANCE_NAME, why))?,
    };
    Ok((key, runner))
}

fn amount(headers: &impl Headers, name: &'static str) -> Result<Amount, ApiError> {
    let text = optional(headers, name)?.unwrap_or("0");
    Amount::parse(text).map_err(|why| invalid(name, why))
}

/// The content of an offer's body.
#[derive(Debug)]
pub enum OfferBody {
    /// A run that can be dispatched to a poll.
    Run(Run),
    /// A run without a deployment: no poll can fit it.
    Undeployed,
}

/// Parses an offer's body. The run's message is a slice of `body`, not a copy.
///
/// # Errors
/// 400 with a text that names the wrong field, 413 when the message is too large.
pub fn offer_body(body: &Bytes) -> Result<OfferBody, ApiError> {
    let text = std::str::from_utf8(body).map_err(|_| invalid("the body", "is not UTF-8"))?;
    let (message, json) = match bare_message(text) {
        Some(bare) => bare,
        None => message(text)?,
    };
    if json.len() > RUN_BYTES {
        return Err(ApiError::too_large(RUN_BYTES));
    }
    let Object(message) = message;
    let Some(deployment) = message.deployment.and_then(|Object(deployment)| deployment.friendly_id) else {
        return Ok(OfferBody::Undeployed);
    };
    let run = message.run.as_ref().map(|Object(run)| run);
    let machine = run.and_then(|run| run.machine).map(|Object(machine)| machine).unwrap_or_default();
    let version = message.background_worker.and_then(|Object(worker)| worker.version).unwrap_or_default();
    let id = run.and_then(|run| run.friendly_id.as_deref()).unwrap_or("unknown");
    let key = PoolKey {
        deployment: DeploymentId::parse(&deployment).map_err(|why| invalid("deployment.friendlyId", why))?,
        version: Version::parse(&version).map_err(|why| invalid("backgroundWorker.version", why))?,
        cpu: Amount::new(machine.cpu).map_err(|why| invalid("run.machine.cpu", why))?,
        memory: Amount::new(machine.memory).map_err(|why| invalid("run.machine.memory", why))?,
    };
    let id = RunId::parse(id).map_err(|why| invalid("run.friendlyId", why))?;
    let message = body.slice_ref(json.as_bytes());
    let head = head(StatusCode::OK, message.len(), ConnectionReuse::KeepAlive).freeze();
    Ok(OfferBody::Run(Run { id, key, head, message, trace: None }))
}

/// The message of a body with `dequeuedMessage` as its only field, which is what supervisors send. It is parsed in one
/// pass.
fn bare_message(body: &str) -> Option<(Object<DequeuedMessage<'_>>, &str)> {
    let json = body.strip_prefix(r#"{"dequeuedMessage":"#)?.strip_suffix('}')?;
    let json = json.trim_matches([' ', '\t', '\r', '\n']);
    Some((serde_json::from_str(json).ok()?, json))
}

/// The message of a body in any other form.
fn message(body: &str) -> Result<(Object<DequeuedMessage<'_>>, &str), ApiError> {
    let Object(offer): Object<OfferRequest<'_>> = parse(body, "the body is not an offer")?;
    let json = offer.dequeued_message.ok_or_else(|| invalid("dequeuedMessage", "is missing"))?.get();
    Ok((parse(json, "dequeuedMessage is not a run")?, json))
}

fn parse<'a, T: serde::Deserialize<'a>>(json: &'a str, what: &str) -> Result<T, ApiError> {
    serde_json::from_str(json).map_err(|error| invalid(what, describe(&error)))
}

/// A description of a serde error without its text, because serde quotes values of the payload.
fn describe(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Syntax => "it is not JSON",
        serde_json::error::Category::Eof => "it ends early",
        serde_json::error::Category::Data => "a field is given twice or has the wrong type",
        serde_json::error::Category::Io => "it could not be read",
    };
    format!("({what}, line {} column {})", error.line(), error.column())
}

/// A parked poll, for `GET /api/dashboard`.
pub(crate) fn waiting_runner(
    poll: &ParkedPollView<'_>,
    now: Moment,
    clock: Clock,
) -> dashboard::WaitingRunner {
    dashboard::WaitingRunner {
        runner: runner(poll.key, poll.runner),
        connected_at: clock.epoch_ms(poll.parked_at),
        waiting_duration_ms: millis(now.since(poll.parked_at)),
    }
}

/// A runner with a run, for `GET /api/dashboard`.
pub(crate) fn executing_runner(
    active_run: &ActiveRun,
    now: Moment,
    clock: Clock,
) -> dashboard::ExecutingRunner {
    dashboard::ExecutingRunner {
        runner: runner(&active_run.key, &active_run.runner),
        run_id: text(active_run.run.as_str()),
        matched_at: clock.epoch_ms(active_run.since),
        executing_duration_ms: millis(now.since(active_run.since)),
    }
}

/// An ended offer, for `GET /api/dashboard`.
pub(crate) fn offer_summary(record: &OfferRecord, clock: Clock) -> dashboard::OfferSummary {
    let assigned = record.runner.as_ref();
    dashboard::OfferSummary {
        run_id: text(record.run.as_str()),
        controller_id: text(assigned.map_or("", |assigned| assigned.runner.id.as_str())),
        worker_instance_name: text(assigned.map_or("", |assigned| assigned.runner.worker.as_str())),
        deployment_key: format!("{}:{}", record.key.deployment, record.key.version),
        machine_cpu: record.key.cpu.value(),
        machine_memory: record.key.memory.value(),
        matched_at: clock.epoch_ms(record.at),
        wait_duration_ms: assigned.map_or(0, |assigned| millis(assigned.waited)),
        success: matches!(record.outcome, OfferOutcome::Warm(Delivery::Acknowledged | Delivery::Unconfirmed)),
        delivery: delivery(record.outcome),
        answered_in_us: micros(record.took),
        dispatches: record.dispatches,
    }
}

pub(crate) const fn delivery(answer: OfferOutcome) -> &'static str {
    match answer {
        OfferOutcome::Warm(delivery) => delivery.as_str(),
        OfferOutcome::Cold => "cold",
    }
}

fn runner(key: &PoolKey, runner: &Runner) -> dashboard::RunnerInfo {
    dashboard::RunnerInfo {
        deployment_id: text(key.deployment.as_str()),
        deployment_version: text(key.version.as_str()),
        machine_cpu: key.cpu.value(),
        machine_memory: key.memory.value(),
        controller_id: text(runner.id.as_str()),
        worker_instance_name: text(runner.worker.as_str()),
    }
}

pub(crate) fn text(text: &str) -> Arc<str> {
    text.into()
}
