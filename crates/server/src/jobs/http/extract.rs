//! Extractors for the parts of a request besides its body: the job id in the path, the runner's id, the query.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use hyper::http::request::Parts;
use pilotlight_core::ids::RunnerId;
use pilotlight_core::job::JobId;
use pilotlight_core::limits::MAX_JOB_WAIT;
use pilotlight_wire::runner::RUNNER_ID_HEADER;

use crate::http::error::ApiError;
use crate::http::headers;
use crate::jobs::http::JobsState;

/// The job id in the path; `None` when the text is not a job id, so that no job can have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobIdPath(pub Option<JobId>);

impl<S: Send + Sync> FromRequestParts<S> for JobIdPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        Ok(Self(id.ok().and_then(|Path(id)| id.parse().ok())))
    }
}

/// The runner that sent the request, from `X-Runner-ID`. Extracting it records the runner as seen now.
#[derive(Debug, Clone)]
pub(super) struct CallingRunner(pub RunnerId);

/// How the OpenAPI document describes the header of [`CallingRunner`].
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct RunnerIdHeader {
    /// The id of the runner that sends the request. It need not be registered.
    #[param(rename = "X-Runner-ID", min_length = 1, max_length = 256)]
    _runner_id: String,
}

impl FromRequestParts<Arc<JobsState>> for CallingRunner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<JobsState>) -> Result<Self, ApiError> {
        let runner = headers::required(&parts.headers, RUNNER_ID_HEADER)?;
        let runner = RunnerId::parse(runner).map_err(|why| headers::invalid(RUNNER_ID_HEADER, why))?;
        state.jobs.touch_runner(&runner);
        Ok(Self(runner))
    }
}

/// The name-value pairs of the query string, in their order.
#[derive(Debug, Default)]
pub(crate) struct QueryPairs(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for QueryPairs {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let pairs = Query::try_from_uri(&parts.uri);
        pairs
            .map(|Query(pairs)| Self(pairs))
            .map_err(|_| ApiError::bad_request("the query string cannot be parsed"))
    }
}

impl QueryPairs {
    /// All values with this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The only value with this name. An empty value counts as missing.
    ///
    /// # Errors
    /// The name is given more than once.
    pub(crate) fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.all(name);
        let value = values.next().filter(|value| !value.is_empty());
        if values.next().is_some() { Err(headers::invalid(name, "is given twice")) } else { Ok(value) }
    }

    /// The value of `wait_ms`: how long the caller waits. Zero when it is missing.
    ///
    /// # Errors
    /// The value is not a whole number of milliseconds, or is more than [`MAX_JOB_WAIT`].
    pub(crate) fn wait(&self) -> Result<Duration, ApiError> {
        let Some(text) = self.one("wait_ms")? else { return Ok(Duration::ZERO) };
        let wait = text.parse().ok().map(Duration::from_millis).filter(|wait| *wait <= MAX_JOB_WAIT);
        let at_most = MAX_JOB_WAIT.as_millis();
        wait.ok_or_else(|| {
            headers::invalid("wait_ms", format_args!("is not a whole number from 0 to {at_most}"))
        })
    }
}
