//! What a request says besides its body: ids in its path, its runner, its query.

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

use super::convert;
use super::error::ApiError;
use super::router::HttpState;

/// The job that a path names; none when its text is no job's id, which no job has.
#[derive(Debug, Clone, Copy)]
pub struct JobIdPath(pub Option<JobId>);

impl<S: Send + Sync> FromRequestParts<S> for JobIdPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let id: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, state).await;
        Ok(Self(id.ok().and_then(|Path(id)| id.parse().ok())))
    }
}

/// The runner that speaks. That it does is remembered.
#[derive(Debug, Clone)]
pub struct CallingRunner(pub RunnerId);

impl FromRequestParts<Arc<HttpState>> for CallingRunner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<HttpState>) -> Result<Self, ApiError> {
        let runner = convert::required(&parts.headers, RUNNER_ID_HEADER)?;
        let runner = RunnerId::parse(runner).map_err(|why| convert::invalid(RUNNER_ID_HEADER, why))?;
        state.jobs().touch_runner(&runner);
        Ok(Self(runner))
    }
}

/// What a query says, in its order.
#[derive(Debug, Default)]
pub struct QueryPairs(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for QueryPairs {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let pairs = Query::try_from_uri(&parts.uri);
        pairs.map(|Query(pairs)| Self(pairs)).map_err(|_| ApiError::bad_request("the query cannot be read"))
    }
}

impl QueryPairs {
    /// All values under a name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The one value under a name; an empty one is none.
    ///
    /// # Errors
    /// It is there twice.
    pub fn one(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let mut values = self.all(name);
        let value = values.next().filter(|value| !value.is_empty());
        if values.next().is_some() { Err(convert::invalid(name, "is there twice")) } else { Ok(value) }
    }

    /// How long to wait: `wait_ms`.
    ///
    /// # Errors
    /// It is no time, or longer than anybody may wait.
    pub fn wait(&self) -> Result<Duration, ApiError> {
        let Some(text) = self.one("wait_ms")? else { return Ok(Duration::ZERO) };
        let wait = text.parse().ok().map(Duration::from_millis).filter(|wait| *wait <= MAX_JOB_WAIT);
        let at_most = MAX_JOB_WAIT.as_millis();
        wait.ok_or_else(|| {
            convert::invalid("wait_ms", format_args!("is not a whole number from 0 to {at_most}"))
        })
    }
}
