//! `POST /api/admin/retire`: retires runners. Their parked polls, and polls that they send within a period, get a 410,
//! on which a runner exits.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use pilotlight_core::ids::{BadId, DeploymentId, RunnerId, Version};
use pilotlight_core::limits::{DEFAULT_RETIREMENT, MAX_RETIREMENT};
use pilotlight_core::retire::RunnerFilter;
use pilotlight_wire::admin::{RetireRequest, RetireResponse};

use crate::http::body;
use crate::http::error::{ApiError, json};
use crate::warm_start::http::WarmStartState;

/// `POST /api/admin/retire`
pub(super) async fn retire(State(state): State<Arc<WarmStartState>>, request: Request) -> Response {
    match retire_or_refuse(&state, request).await {
        Ok(retired) => json(StatusCode::OK, &retired),
        Err(error) => error.into_response(),
    }
}

async fn retire_or_refuse(state: &WarmStartState, request: Request) -> Result<RetireResponse, ApiError> {
    let body = body::read_request(request).await?;
    let expected = "expected JSON with deployment, version or runner (strings), and optionally for_ms";
    let request: RetireRequest = body::parse(&body, expected)?;
    let within = request.for_ms.map_or(DEFAULT_RETIREMENT, Duration::from_millis);
    if within > MAX_RETIREMENT {
        let text = format!("for_ms is more than {} days", MAX_RETIREMENT.as_secs() / 86_400);
        return Err(ApiError::bad_request(text));
    }
    let (retired, until) = state.dispatcher.retire(runner_filter(&request)?, within);
    tracing::info!(retired, "retired runners");
    Ok(RetireResponse { retired, until: state.edge.clock.epoch_ms(until) })
}

fn runner_filter(request: &RetireRequest) -> Result<RunnerFilter, ApiError> {
    let deployment = named("deployment", request.deployment.as_deref(), DeploymentId::parse)?;
    let version = named("version", request.version.as_deref(), Version::parse)?;
    let runner = named("runner", request.runner.as_deref(), RunnerId::parse)?;
    RunnerFilter::new(deployment, version, runner)
        .ok_or_else(|| ApiError::bad_request("name the runners to retire: by deployment, version or runner"))
}

fn named<T>(
    name: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<T, BadId>,
) -> Result<Option<T>, ApiError> {
    text.map(|text| parse(text).map_err(|why| ApiError::bad_request(format!("{name} {why}")))).transpose()
}
