//! The calls of job runners: register, poll for the next job, and the reports about a job, each with its lease.

use std::time::Duration;

use pilotlight_wire::requests::{JobReport, RegisterRequest};
use pilotlight_wire::runner::{JobReportResponse, NextJob, NextResponse, RUNNER_ID_HEADER, RegisterResponse};
use reqwest::Method;

use super::error::ClientError;
use super::http_client::{Call, Client, Idempotency, parse_json};
use super::jobs_api::{WithJsonBody, with_wait};

/// Identifies a job and its runner in a report.
#[derive(Debug, Clone, Copy)]
pub struct JobRef<'a> {
    /// The runner's id, given by [`Client::register`].
    pub runner: &'a str,
    /// The job's id.
    pub id: &'a str,
}

/// The service's response to a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportResponse {
    /// The report was accepted.
    Accepted,
    /// The job was cancelled; the runner should stop executing it.
    Cancelled,
    /// The lease is no longer valid, for this reason; the report changed nothing.
    Stale(String),
}

impl Client {
    /// `POST /api/runner/register`: registers a runner and returns its id. Not idempotent: each call makes another
    /// runner.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn register(&self, name: &str, types: &[String]) -> Result<RegisterResponse, ClientError> {
        let request = self.request(Method::POST, &["runner", "register"]);
        let request = request.json_body(&RegisterRequest { name, capabilities: types });
        let action = format!("register as runner {name}");
        self.call_json(
            Call { action, request, wait: Duration::ZERO, idempotency: Idempotency::NotIdempotent },
            &[],
        )
        .await
    }

    /// `GET /api/runner/jobs/next`: polls for a job of one of these types (100 at most); `None` if there is none within
    /// `wait`. Dropping the future ends the poll; a job that was already dispatched to it goes to the next runner.
    /// Never retried.
    ///
    /// # Errors
    /// Any [`ClientError`]. A connection closed without a response usually means that the service restarts.
    pub async fn next_job(
        &self,
        runner: &str,
        types: &[String],
        wait: Duration,
    ) -> Result<Option<NextJob>, ClientError> {
        let types: Vec<_> = types.iter().map(|name| ("types[]", name)).collect();
        let request = self.request(Method::GET, &["runner", "jobs", "next"]).header(RUNNER_ID_HEADER, runner);
        let request = with_wait(request.query(&types), wait);
        let action = "poll for the next job".to_owned();
        let call = Call { action: action.clone(), request, wait, idempotency: Idempotency::Idempotent };
        let Some(body) = self.clone().with_retry_for(Duration::ZERO).call(call, &[]).await? else {
            return Ok(None);
        };
        let NextResponse { job } = parse_json(&body).map_err(|reason| self.failure(action, reason))?;
        Ok(Some(job))
    }

    /// `POST .../start`: reports the start of a job. The runner may execute the job only if this is accepted.
    /// Idempotent.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn start(&self, job: JobRef<'_>, lease: u64) -> Result<ReportResponse, ClientError> {
        self.send_event(job, "start", &JobReport { lease, ..JobReport::default() }, Idempotency::Idempotent)
            .await
    }

    /// `POST .../heartbeat`. With appended console output it is repeated only when it is certain that the service did
    /// nothing, because a repeated chunk would be appended twice.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn heartbeat(
        &self,
        job: JobRef<'_>,
        report: &JobReport<'_>,
    ) -> Result<ReportResponse, ClientError> {
        let idempotency = if report.console_append.is_some() {
            Idempotency::NotIdempotent
        } else {
            Idempotency::Idempotent
        };
        self.send_event(job, "heartbeat", report, idempotency).await
    }

    /// `POST .../complete` with `output_data`: reports a job's result. Idempotent: a repeated report changes nothing.
    ///
    /// # Errors
    /// [`ClientError`]; status 400 when the service refuses the result, for example because it is too large.
    pub async fn complete(
        &self,
        job: JobRef<'_>,
        report: &JobReport<'_>,
    ) -> Result<ReportResponse, ClientError> {
        self.send_event(job, "complete", report, Idempotency::Idempotent).await
    }

    /// `POST .../error` with `error_message`: reports a job's failure. Idempotent.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn fail(&self, job: JobRef<'_>, report: &JobReport<'_>) -> Result<ReportResponse, ClientError> {
        self.send_event(job, "error", report, Idempotency::Idempotent).await
    }

    async fn send_event(
        &self,
        JobRef { runner, id }: JobRef<'_>,
        what: &str,
        report: &JobReport<'_>,
        idempotency: Idempotency,
    ) -> Result<ReportResponse, ClientError> {
        let request = self.request(Method::POST, &["runner", "jobs", id, what]);
        let request = request.header(RUNNER_ID_HEADER, runner).json_body(report);
        let action = format!("report {what} of job {id}");
        let response: JobReportResponse =
            self.call_json(Call { action, request, wait: Duration::ZERO, idempotency }, &[409]).await?;
        Ok(match response {
            JobReportResponse { success: false, message, .. } => ReportResponse::Stale(message),
            JobReportResponse { cancelled: Some(true), .. } => ReportResponse::Cancelled,
            JobReportResponse { .. } => ReportResponse::Accepted,
        })
    }
}
