//! The callers of the jobs scene: they submit jobs, wait for results, and measure how long each takes.

use std::time::{Duration, Instant};

use pilotlight_client::{Client, SubmitParams};
use pilotlight_core::time::micros;
use pilotlight_wire::jobs::{JobResult, Status};
use pilotlight_wire::requests::{self, SubmitOptions, SubmitRequest};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::task::JoinSet;

use super::error::SceneError;
use super::program::{JOB_TYPE, PrimeJob};

/// The time limit for one job; only an overloaded or broken machine exceeds it.
const DEADLINE: Duration = Duration::from_secs(20);

/// Whether a cached result may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CachePolicy {
    AcceptCached,
    Recompute,
}

/// A result and the time from the submission to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimedResult {
    pub(super) took_us: u64,
    pub(super) prime: u32,
    /// The id of the process that computed the result.
    pub(super) process: u32,
    /// The result as the program wrote it.
    pub(super) text: String,
}

#[derive(Deserialize)]
struct Output {
    prime: u32,
    process: u32,
}

/// Submits a job without waiting; returns the job's id.
pub(super) async fn submit(
    client: &Client,
    prime_job: &PrimeJob,
    cache_policy: CachePolicy,
) -> Result<String, SceneError> {
    let input = input(prime_job);
    Ok(client.submit(&submission(&input, cache_policy), SubmitParams::default()).await?.job_id)
}

/// Waits for the end of a job that was submitted at `submitted`.
pub(super) async fn wait_for_result(
    client: &Client,
    id: &str,
    submitted: Instant,
) -> Result<TimedResult, SceneError> {
    let job = client.status(id, DEADLINE).await?;
    parse_result(job.status, job.result, job.error, submitted)
}

/// Submits a job and waits for its end.
pub(super) async fn submit_and_wait(
    client: &Client,
    prime_job: &PrimeJob,
    cache_policy: CachePolicy,
) -> Result<TimedResult, SceneError> {
    let (input, submitted) = (input(prime_job), Instant::now());
    let params = SubmitParams { wait: DEADLINE, ..SubmitParams::default() };
    let response = client.submit(&submission(&input, cache_policy), params).await?;
    parse_result(response.status, response.result, response.error, submitted)
}

/// `callers` callers submit the same job at once, each on a connection that is already open.
pub(super) async fn submit_concurrently(
    client: &Client,
    prime_job: &PrimeJob,
    callers: usize,
) -> Result<Vec<TimedResult>, SceneError> {
    let mut opening = JoinSet::new();
    for _ in 0..callers {
        let client = client.clone();
        opening.spawn(async move { open_connection(&client).await });
    }
    while let Some(opened) = opening.join_next().await {
        opened.expect("the task does not panic and is not aborted")?;
    }
    let mut asking = JoinSet::new();
    for _ in 0..callers {
        let (client, prime_job) = (client.clone(), prime_job.clone());
        asking.spawn(async move { submit_and_wait(&client, &prime_job, CachePolicy::AcceptCached).await });
    }
    let mut answers = Vec::new();
    while let Some(asked) = asking.join_next().await {
        answers.push(asked.expect("the task does not panic and is not aborted")?);
    }
    Ok(answers)
}

/// Opens a connection by checking for a job that was never submitted.
async fn open_connection(client: &Client) -> Result<(), SceneError> {
    let input = RawValue::from_string("{}".to_owned()).expect("a JSON object");
    let lookup = requests::CheckRequest { job_type: JOB_TYPE, input_params: &input, code_version: None };
    client.check(&lookup).await?;
    Ok(())
}

fn input(prime_job: &PrimeJob) -> Box<RawValue> {
    RawValue::from_string(prime_job.parameters.clone()).expect("the parameters are a JSON object")
}

fn submission(input: &RawValue, cache_policy: CachePolicy) -> SubmitRequest<'_> {
    let fresh = (cache_policy == CachePolicy::Recompute).then_some(true);
    SubmitRequest {
        job_type: JOB_TYPE,
        input_params: input,
        options: SubmitOptions { fresh, ..SubmitOptions::default() },
    }
}

fn parse_result(
    status: Status,
    result: Option<JobResult>,
    error: Option<String>,
    submitted: Instant,
) -> Result<TimedResult, SceneError> {
    let took_us = micros(submitted.elapsed());
    if let Some(error) = error {
        return Err(SceneError::Job(error));
    }
    let Some(outcome) = result else {
        return Err(SceneError::NoEnd { status, seconds: DEADLINE.as_secs() });
    };
    let text = outcome.output_data.get().to_owned();
    let Ok(Output { prime, process }) = serde_json::from_str(&text) else {
        return Err(SceneError::Job(format!("the result is {text}")));
    };
    Ok(TimedResult { took_us, prime, process, text })
}
