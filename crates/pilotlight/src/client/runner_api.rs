//! What runners of jobs say: register, next, and the words about a job, each with its lease.

use std::time::Duration;

use pilotlight_wire::requests::{JobReport, RegisterRequest};
use pilotlight_wire::runner::{JobReportResponse, NextJob, NextResponse, RUNNER_ID_HEADER, RegisterResponse};
use reqwest::Method;

use super::error::ClientError;
use super::http_client::{Call, Client, Idempotency, parse_json};
use super::jobs_api::{WithJsonBody, with_wait};

/// A job that a runner was given, as far as words about it need it.
#[derive(Debug, Clone, Copy)]
pub struct JobRef<'a> {
    /// What the runner sends as its name.
    pub runner: &'a str,
    /// The job's name.
    pub id: &'a str,
}

/// What became of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportResponse {
    /// It was taken.
    Accepted,
    /// It was heard, but nobody wants the job any more.
    Cancelled,
    /// The lease is not in force; why.
    Stale(String),
}

impl Client {
    /// `POST /api/runner/register`: a name for the runner. A second one would make a second runner.
    ///
    /// # Errors
    /// [`ClientError`]
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

    /// `GET /api/runner/jobs/next`: a job of one of these types (100 at most), if one comes within `wait`. Dropping it
    /// gives up the poll, and a job on its way goes to the next runner. It is never repeated.
    ///
    /// # Errors
    /// [`ClientError`]; a connection that closed without an answer means that the service restarts.
    pub async fn next_job(
        &self,
        runner: &str,
        types: &[String],
        wait: Duration,
    ) -> Result<Option<NextJob>, ClientError> {
        let types: Vec<_> = types.iter().map(|name| ("types[]", name)).collect();
        let request = self.request(Method::GET, &["runner", "jobs", "next"]).header(RUNNER_ID_HEADER, runner);
        let request = with_wait(request.query(&types), wait);
        let action = "ask for the next job".to_owned();
        let call = Call { action: action.clone(), request, wait, idempotency: Idempotency::Idempotent };
        let Some(body) = self.clone().with_retry_for(Duration::ZERO).call(call, &[]).await? else {
            return Ok(None);
        };
        let NextResponse { job } = parse_json(&body).map_err(|reason| self.failure(action, reason))?;
        Ok(Some(job))
    }

    /// `POST .../start`: execute it only when this is taken. Safe to repeat.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn start(&self, job: JobRef<'_>, lease: u64) -> Result<ReportResponse, ClientError> {
        self.send_event(job, "start", &JobReport { lease, ..JobReport::default() }, Idempotency::Idempotent)
            .await
    }

    /// `POST .../heartbeat`. With a piece of console it is repeated only when nothing was done: a piece that comes twice
    /// stands there twice.
    ///
    /// # Errors
    /// [`ClientError`]
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

    /// `POST .../complete` with `output_data`. Safe to repeat: what was taken is not taken twice.
    ///
    /// # Errors
    /// [`ClientError`]; status 400 when the service does not want such a result.
    pub async fn complete(
        &self,
        job: JobRef<'_>,
        report: &JobReport<'_>,
    ) -> Result<ReportResponse, ClientError> {
        self.send_event(job, "complete", report, Idempotency::Idempotent).await
    }

    /// `POST .../error` with `error_message`. Safe to repeat.
    ///
    /// # Errors
    /// [`ClientError`]
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
        let action = format!("say {what} of job {id}");
        let response: JobReportResponse =
            self.call_json(Call { action, request, wait: Duration::ZERO, idempotency }, &[409]).await?;
        Ok(match response {
            JobReportResponse { success: false, message, .. } => ReportResponse::Stale(message),
            JobReportResponse { cancelled: Some(true), .. } => ReportResponse::Cancelled,
            JobReportResponse { .. } => ReportResponse::Accepted,
        })
    }
}
