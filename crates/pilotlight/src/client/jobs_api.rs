//! What callers of jobs ask: submit, check, status, cancel.

use std::time::Duration;

use pilotlight_core::time::millis;
use pilotlight_wire::jobs::{CancelResponse, CheckResponse, Job, SubmitResponse};
use pilotlight_wire::requests::{CheckRequest, SubmitRequest};
use reqwest::{Method, RequestBuilder};

use super::error::{ClientError, Reason};
use super::http_client::{Call, Client, Idempotency};

/// How a job is submitted, besides what it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct SubmitParams<'a> {
    /// How long to wait for its end; ten minutes at most.
    pub wait: Duration,
    /// Makes the submission safe to repeat: by the same key it counts once. One is chosen for a `fresh` submission without.
    pub idempotency_key: Option<&'a str>,
}

impl Client {
    /// `POST /api/jobs/submit`. With a key it is repeated; without one each submission counts as a caller, and it is repeated
    /// only when nothing was done.
    ///
    /// # Errors
    /// [`ClientError`] says why it was not submitted, or why that is not known.
    pub async fn submit(
        &self,
        job: &SubmitRequest<'_>,
        params: SubmitParams<'_>,
    ) -> Result<SubmitResponse, ClientError> {
        let action = format!("submit a job of type {}", job.job_type);
        let mut request = with_wait(self.request(Method::POST, &["jobs", "submit"]), params.wait);
        let mut idempotency = Idempotency::NotIdempotent;
        if job.options.fresh == Some(true) || params.idempotency_key.is_some() {
            let key = match params.idempotency_key {
                Some(key) => key.to_owned(),
                None => idempotency_key()
                    .map_err(|error| self.failure(action.clone(), Reason::Unreachable(error.to_string())))?,
            };
            request = request.header("idempotency-key", key);
            idempotency = Idempotency::Idempotent;
        }
        let call = Call { action, request: request.json_body(job), wait: params.wait, idempotency };
        self.call_json(call, &[]).await
    }

    /// `POST /api/jobs/check`: whether it is known, without submitting it.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn check(&self, check: &CheckRequest<'_>) -> Result<CheckResponse, ClientError> {
        let action = format!("look for a job of type {}", check.job_type);
        let request = self.request(Method::POST, &["jobs", "check"]).json_body(check);
        self.call_json(
            Call { action, request, wait: Duration::ZERO, idempotency: Idempotency::Idempotent },
            &[],
        )
        .await
    }

    /// `GET /api/jobs/{id}`: where it stands, or its end when that comes within `wait` (ten minutes at most).
    ///
    /// # Errors
    /// [`ClientError`]; status 404 when there is no such job.
    pub async fn status(&self, id: &str, wait: Duration) -> Result<Job, ClientError> {
        let request = with_wait(self.request(Method::GET, &["jobs", id]), wait);
        let call =
            Call { action: format!("ask for job {id}"), request, wait, idempotency: Idempotency::Idempotent };
        self.call_json(call, &[]).await
    }

    /// `POST /api/jobs/{id}/cancel`: one caller fewer. Each counts, so it is repeated only when nothing was done.
    ///
    /// # Errors
    /// [`ClientError`]; a job that has ended is an answer, with `success: false`.
    pub async fn cancel(&self, id: &str) -> Result<CancelResponse, ClientError> {
        let request = self.request(Method::POST, &["jobs", id, "cancel"]);
        let action = format!("cancel job {id}");
        self.call_json(
            Call { action, request, wait: Duration::ZERO, idempotency: Idempotency::NotIdempotent },
            &[409],
        )
        .await
    }
}

/// How bodies are written: the types' own JSON, so that parameters pass byte for byte.
pub(super) trait WithJsonBody {
    /// The same with this as its body.
    fn json_body(self, body: &impl serde::Serialize) -> Self;
}

impl WithJsonBody for RequestBuilder {
    fn json_body(self, body: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("wire types have string keys and finite numbers");
        self.header(reqwest::header::CONTENT_TYPE, "application/json").body(body)
    }
}

pub(super) fn with_wait(request: RequestBuilder, wait: Duration) -> RequestBuilder {
    if wait.is_zero() { request } else { request.query(&[("wait_ms", millis(wait))]) }
}

/// A key that nobody else has, for one submission.
///
/// # Errors
/// The system has no random numbers.
pub fn idempotency_key() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
