//! The scene's callers: they submit, wait, and note what they are told and when.

use std::time::{Duration, Instant};

use pilotlight_core::time::micros;
use pilotlight_wire::jobs::{JobResult, Status};
use pilotlight_wire::requests::{self, SubmitOptions, SubmitRequest};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::task::JoinSet;

use super::program::{JOB_TYPE, Question};
use super::scene::Failure;
use crate::client::{Client, SubmitParams};

/// After this something is wrong with the machine.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// Whether a result that is known will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    WillDo,
    WillNotDo,
}

/// A result, and how long it took from the submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) took_us: u64,
    pub(super) prime: u32,
    /// Which process computed it.
    pub(super) process: u32,
    /// As the program wrote it.
    pub(super) text: String,
}

#[derive(Deserialize)]
struct Output {
    prime: u32,
    process: u32,
}

/// Submits without waiting: the job's id.
pub(super) async fn submit(client: &Client, question: &Question, known: Known) -> Result<String, Failure> {
    let input = input(question);
    Ok(client.submit(&submission(&input, known), SubmitParams::default()).await?.job_id)
}

/// Waits for the end of a job that was submitted then.
pub(super) async fn end(client: &Client, id: &str, submitted: Instant) -> Result<Answer, Failure> {
    let job = client.status(id, DEADLINE).await?;
    answer(job.status, job.result, job.error, submitted)
}

/// Submits and waits for the end.
pub(super) async fn ask(client: &Client, question: &Question, known: Known) -> Result<Answer, Failure> {
    let (input, submitted) = (input(question), Instant::now());
    let params = SubmitParams { wait: DEADLINE, ..SubmitParams::default() };
    let told = client.submit(&submission(&input, known), params).await?;
    answer(told.status, told.result, told.error, submitted)
}

/// So many ask at once, each on a connection that is open.
pub(super) async fn all_ask(
    client: &Client,
    question: &Question,
    callers: usize,
) -> Result<Vec<Answer>, Failure> {
    let mut opening = JoinSet::new();
    for _ in 0..callers {
        let client = client.clone();
        opening.spawn(async move { look(&client).await });
    }
    while let Some(opened) = opening.join_next().await {
        opened.expect("it does not panic and is not aborted")?;
    }
    let mut asking = JoinSet::new();
    for _ in 0..callers {
        let (client, question) = (client.clone(), question.clone());
        asking.spawn(async move { ask(&client, &question, Known::WillDo).await });
    }
    let mut answers = Vec::new();
    while let Some(asked) = asking.join_next().await {
        answers.push(asked.expect("it does not panic and is not aborted")?);
    }
    Ok(answers)
}

/// Asks for something that nobody ever submitted.
async fn look(client: &Client) -> Result<(), Failure> {
    let input = RawValue::from_string("{}".to_owned()).expect("an object");
    let question = requests::CheckRequest { job_type: JOB_TYPE, input_params: &input, code_version: None };
    client.check(&question).await?;
    Ok(())
}

fn input(question: &Question) -> Box<RawValue> {
    RawValue::from_string(question.parameters.clone()).expect("they are an object")
}

fn submission(input: &RawValue, known: Known) -> SubmitRequest<'_> {
    let fresh = (known == Known::WillNotDo).then_some(true);
    SubmitRequest {
        job_type: JOB_TYPE,
        input_params: input,
        options: SubmitOptions { fresh, ..SubmitOptions::default() },
    }
}

fn answer(
    status: Status,
    result: Option<JobResult>,
    error: Option<String>,
    submitted: Instant,
) -> Result<Answer, Failure> {
    let took_us = micros(submitted.elapsed());
    if let Some(error) = error {
        return Err(Failure::Job(error));
    }
    let Some(outcome) = result else { return Err(Failure::NoEnd(status)) };
    let text = outcome.output_data.get().to_owned();
    let Ok(Output { prime, process }) = serde_json::from_str(&text) else {
        return Err(Failure::Job(format!("the result is {text}")));
    };
    Ok(Answer { took_us, prime, process, text })
}
