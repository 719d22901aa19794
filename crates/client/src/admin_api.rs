//! The calls of operators about jobs and runners: list, show, compute again, delete, statistics.

use std::time::Duration;

use pilotlight_wire::jobs::{Status, SubmitResponse};
use pilotlight_wire::jobs_admin::{
    AdminStats, BatchDeleteResponse, DeleteResponse, JobDetails, JobList, RunnerDetails, RunnerList,
};
use pilotlight_wire::requests::BatchDeleteRequest;
use pilotlight_wire::warm_start::Health;
use reqwest::{Method, RequestBuilder};

use super::error::ClientError;
use super::http_client::{Call, Client, Idempotency};
use super::jobs_api::WithJsonBody;

impl Client {
    /// `GET /api/admin/jobs`: lists jobs, the newest first; at most `limit` (1 to 1,000), only those in `status` if
    /// given.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn list_jobs(
        &self,
        status: Option<Status>,
        limit: Option<u32>,
    ) -> Result<JobList, ClientError> {
        let mut request = self.request(Method::GET, &["admin", "jobs"]);
        if let Some(status) = status {
            request = request.query(&[("status", status)]);
        }
        if let Some(limit) = limit {
            request = request.query(&[("limit", limit)]);
        }
        self.call_json(idempotent("list jobs".into(), request), &[]).await
    }

    /// `GET /api/admin/jobs/{id}`: all details of a job.
    ///
    /// # Errors
    /// [`ClientError`]; status 404 when there is no such job.
    pub async fn job_details(&self, id: &str) -> Result<JobDetails, ClientError> {
        let request = self.request(Method::GET, &["admin", "jobs", id]);
        self.call_json(idempotent(format!("show job {id}"), request), &[]).await
    }

    /// `POST /api/admin/jobs/{id}/again`: submits the job again and computes it afresh. Each call makes a new job, so
    /// it is repeated only when it is certain that the service did nothing.
    ///
    /// # Errors
    /// [`ClientError`]; status 404 when there is no such job.
    pub async fn recompute(&self, id: &str) -> Result<SubmitResponse, ClientError> {
        let request = self.request(Method::POST, &["admin", "jobs", id, "again"]);
        let action = format!("compute job {id} again");
        self.call_json(
            Call { action, request, wait: Duration::ZERO, idempotency: Idempotency::NotIdempotent },
            &[],
        )
        .await
    }

    /// `DELETE /api/admin/jobs/{id}`: deletes a job. A second call gets 404, so it is repeated only when it is certain
    /// that the service did nothing.
    ///
    /// # Errors
    /// [`ClientError`]; status 404 when there is no such job.
    pub async fn delete(&self, id: &str) -> Result<DeleteResponse, ClientError> {
        let request = self.request(Method::DELETE, &["admin", "jobs", id]);
        let action = format!("delete job {id}");
        self.call_json(
            Call { action, request, wait: Duration::ZERO, idempotency: Idempotency::NotIdempotent },
            &[],
        )
        .await
    }

    /// `POST /api/admin/jobs/batch-delete`: deletes at most 1,000 jobs.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn delete_batch(&self, job_ids: &[&str]) -> Result<BatchDeleteResponse, ClientError> {
        let request = self.request(Method::POST, &["admin", "jobs", "batch-delete"]);
        let (action, request) =
            (format!("delete {} jobs", job_ids.len()), request.json_body(&BatchDeleteRequest { job_ids }));
        self.call_json(
            Call { action, request, wait: Duration::ZERO, idempotency: Idempotency::NotIdempotent },
            &[],
        )
        .await
    }

    /// `GET /api/admin/runners`: lists runners, the last seen first.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn list_runners(&self) -> Result<RunnerList, ClientError> {
        let request = self.request(Method::GET, &["admin", "runners"]);
        self.call_json(idempotent("list runners".into(), request), &[]).await
    }

    /// `GET /api/admin/runners/{id}`: one runner with its last jobs.
    ///
    /// # Errors
    /// [`ClientError`]; status 404 when there is no such runner.
    pub async fn runner_details(&self, id: &str) -> Result<RunnerDetails, ClientError> {
        let request = self.request(Method::GET, &["admin", "runners", id]);
        self.call_json(idempotent(format!("show runner {id}"), request), &[]).await
    }

    /// `GET /api/admin/stats`: counts of jobs by status, and of runners.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn stats(&self) -> Result<AdminStats, ClientError> {
        let request = self.request(Method::GET, &["admin", "stats"]);
        self.call_json(idempotent("count jobs".into(), request), &[]).await
    }

    /// `GET /health`: whether the service is healthy, and its uptime.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn health(&self) -> Result<Health, ClientError> {
        let request = self.request_outside_api(Method::GET, &["health"]);
        self.call_json(idempotent("check the service's health".into(), request), &[]).await
    }
}

const fn idempotent(action: String, request: RequestBuilder) -> Call {
    Call { action, request, wait: Duration::ZERO, idempotency: Idempotency::Idempotent }
}
