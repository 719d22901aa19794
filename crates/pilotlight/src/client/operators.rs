//! What operators ask about jobs and runners: list, show, delete, statistics.

use std::time::Duration;

use pilotlight_wire::jobs::Status;
use pilotlight_wire::jobs_admin::{BatchDeleted, Deleted, Details, Jobs, RunnerDetails, Runners, Stats};
use pilotlight_wire::requests::Names;
use pilotlight_wire::warm_start::Health;
use reqwest::{Method, RequestBuilder};

use super::callers::JsonOf;
use super::failure::Failure;
use super::link::{Call, Client, Twice};

impl Client {
    /// `GET /api/admin/jobs`: the newest first; at most `limit` (1 to 1,000), of this status only.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn jobs(&self, status: Option<Status>, limit: Option<u32>) -> Result<Jobs, Failure> {
        let mut request = self.request(Method::GET, &["admin", "jobs"]);
        if let Some(status) = status {
            request = request.query(&[("status", status)]);
        }
        if let Some(limit) = limit {
            request = request.query(&[("limit", limit)]);
        }
        self.told(harmless("list jobs".into(), request), &[]).await
    }

    /// `GET /api/admin/jobs/{id}`: all that is known of it.
    ///
    /// # Errors
    /// [`Failure`]; status 404 when there is no such job.
    pub async fn job(&self, id: &str) -> Result<Details, Failure> {
        let request = self.request(Method::GET, &["admin", "jobs", id]);
        self.told(harmless(format!("show job {id}"), request), &[]).await
    }

    /// `DELETE /api/admin/jobs/{id}`. A second one finds nothing, so it is repeated only when nothing was done.
    ///
    /// # Errors
    /// [`Failure`]; status 404 when there is no such job.
    pub async fn delete(&self, id: &str) -> Result<Deleted, Failure> {
        let request = self.request(Method::DELETE, &["admin", "jobs", id]);
        let asked = format!("delete job {id}");
        self.told(Call { asked, request, wait: Duration::ZERO, twice: Twice::Counts }, &[]).await
    }

    /// `POST /api/admin/jobs/batch-delete`, at most 1,000.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn delete_all(&self, job_ids: &[&str]) -> Result<BatchDeleted, Failure> {
        let request = self.request(Method::POST, &["admin", "jobs", "batch-delete"]);
        let (asked, request) =
            (format!("delete {} jobs", job_ids.len()), request.json_of(&Names { job_ids }));
        self.told(Call { asked, request, wait: Duration::ZERO, twice: Twice::Counts }, &[]).await
    }

    /// `GET /api/admin/runners`: the last seen first.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn runners(&self) -> Result<Runners, Failure> {
        let request = self.request(Method::GET, &["admin", "runners"]);
        self.told(harmless("list runners".into(), request), &[]).await
    }

    /// `GET /api/admin/runners/{id}`: one of them, with its last jobs.
    ///
    /// # Errors
    /// [`Failure`]; status 404 when there is no such runner.
    pub async fn runner(&self, id: &str) -> Result<RunnerDetails, Failure> {
        let request = self.request(Method::GET, &["admin", "runners", id]);
        self.told(harmless(format!("show runner {id}"), request), &[]).await
    }

    /// `GET /api/admin/stats`: how many there are of what.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn stats(&self) -> Result<Stats, Failure> {
        let request = self.request(Method::GET, &["admin", "stats"]);
        self.told(harmless("count jobs".into(), request), &[]).await
    }

    /// `GET /health`: whether the service is well, and since when it runs.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn health(&self) -> Result<Health, Failure> {
        let request = self.outside(Method::GET, &["health"]);
        self.told(harmless("ask how it is".into(), request), &[]).await
    }
}

const fn harmless(asked: String, request: RequestBuilder) -> Call {
    Call { asked, request, wait: Duration::ZERO, twice: Twice::Harmless }
}
