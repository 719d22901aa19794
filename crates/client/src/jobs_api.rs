//! The API requests of programs that submit jobs: submit, check, status, cancel.

use std::time::Duration;

use pilotlight_core::time::millis;
use pilotlight_wire::jobs::{CancelResponse, CheckResponse, Job, SubmitResponse};
use pilotlight_wire::requests::{CheckRequest, SubmitRequest};
use reqwest::{Method, RequestBuilder};

use super::error::{ClientError, Reason};
use super::http_client::{Call, Client, Idempotency};

/// Parameters of a submission that are not part of the job.
#[derive(Debug, Clone, Copy, Default)]
pub struct SubmitParams<'a> {
    /// How long to wait for the job's end; ten minutes at most.
    pub wait: Duration,
    /// Makes the submission safe to repeat: submissions with the same key count once. A `fresh` submission (one that
    /// computes the job again although a result is cached) gets a random key if it has none.
    pub idempotency_key: Option<&'a str>,
}

impl Client {
    /// `POST /api/jobs/submit`: submits a job. With an idempotency key a failed request is retried. Without a key the
    /// service counts each submission of the same job as one more caller, so the request is retried only when it is
    /// certain that the service did nothing.
    ///
    /// # Errors
    /// [`ClientError`]: the job was not submitted, or (`Reason::NoResponse`) it is unknown whether it was.
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

    /// `POST /api/jobs/check`: asks whether an equal job, or its cached result, exists. Submits nothing.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn check(&self, check: &CheckRequest<'_>) -> Result<CheckResponse, ClientError> {
        let action = format!("check for a job of type {}", check.job_type);
        let request = self.request(Method::POST, &["jobs", "check"]).json_body(check);
        self.call_json(
            Call { action, request, wait: Duration::ZERO, idempotency: Idempotency::Idempotent },
            &[],
        )
        .await
    }

    /// `GET /api/jobs/{id}`: the job's status. Waits up to `wait` (ten minutes at most) for the job's end.
    ///
    /// # Errors
    /// [`ClientError`]; status 404 when there is no such job.
    pub async fn status(&self, id: &str, wait: Duration) -> Result<Job, ClientError> {
        let request = with_wait(self.request(Method::GET, &["jobs", id]), wait);
        let call = Call {
            action: format!("get the status of job {id}"),
            request,
            wait,
            idempotency: Idempotency::Idempotent,
        };
        self.call_json(call, &[]).await
    }

    /// `POST /api/jobs/{id}/cancel`: withdraws one of the job's callers; without callers the job is cancelled. Each
    /// request withdraws another caller, so it is retried only when it is certain that the service did nothing.
    ///
    /// # Errors
    /// Any [`ClientError`]. A job that has already ended is not an error but a response with `success: false`.
    pub async fn cancel(&self, id: &str) -> Result<CancelResponse, ClientError> {
        let request = self.request(Method::POST, &["jobs", id, "cancel"]);
        let action = format!("cancel job {id}");
        // Status 409: the job has already ended.
        self.call_json(
            Call { action, request, wait: Duration::ZERO, idempotency: Idempotency::NotIdempotent },
            &[409],
        )
        .await
    }
}

/// Adds JSON bodies to requests, serialized with serde_json so that a job's parameters (raw JSON) are sent byte for
/// byte.
pub(super) trait WithJsonBody {
    /// The request with `body` as its JSON body.
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

/// A random idempotency key for one submission.
///
/// # Errors
/// The operating system gave no random bytes.
pub fn idempotency_key() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
