//! `POST /api/admin/retire`: tells runners to exit, those who wait now and those who come back within a time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use pilotlight_core::ids::{BadId, DeploymentId, RunnerId, Version};
use pilotlight_core::limits::{DEFAULT_RETIREMENT, MAX_RETIREMENT, SMALL_BODY_BYTES};
use pilotlight_core::retire::RunnerFilter;
use pilotlight_wire::admin::{Retire, Retired};
use pilotlight_wire::object::Object;

use super::body;
use super::error::{Refusal, json};
use super::router::Handles;

/// `POST`
pub async fn retire(State(handles): State<Arc<Handles>>, body: Body) -> Response {
    match retire_or_refuse(&handles, body).await {
        Ok(retired) => json(StatusCode::OK, &retired),
        Err(refusal) => refusal.into_response(),
    }
}

async fn retire_or_refuse(handles: &Handles, body: Body) -> Result<Retired, Refusal> {
    let body = body::read(body, SMALL_BODY_BYTES).await?;
    let Object(wish): Object<Retire> = serde_json::from_slice(&body).map_err(|_| {
        Refusal::bad_request("expected JSON with deployment, version or runner (texts), and perhaps for_ms")
    })?;
    let within = wish.for_ms.map_or(DEFAULT_RETIREMENT, Duration::from_millis);
    if within > MAX_RETIREMENT {
        let text = format!("for_ms is more than {} days", MAX_RETIREMENT.as_secs() / 86_400);
        return Err(Refusal::bad_request(text));
    }
    let (retired, until) = handles.dispatcher.retire(who(&wish)?, within);
    tracing::info!(retired, "retired runners");
    Ok(Retired { retired, until: handles.clock.epoch_ms(until) })
}

fn who(wish: &Retire) -> Result<RunnerFilter, Refusal> {
    let deployment = named("deployment", wish.deployment.as_deref(), DeploymentId::parse)?;
    let version = named("version", wish.version.as_deref(), Version::parse)?;
    let runner = named("runner", wish.runner.as_deref(), RunnerId::parse)?;
    RunnerFilter::new(deployment, version, runner)
        .ok_or_else(|| Refusal::bad_request("name whom to retire: a deployment, a version or a runner"))
}

fn named<T>(
    name: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<T, BadId>,
) -> Result<Option<T>, Refusal> {
    text.map(|text| parse(text).map_err(|why| Refusal::bad_request(format!("{name} {why}")))).transpose()
}
