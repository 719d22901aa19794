//! What runners of jobs say: register, next, and the words about a job, each with its lease.

use std::time::Duration;

use pilotlight_wire::requests::{Registration, Word};
use pilotlight_wire::runner::{Heard, Next, NextJob, RUNNER_ID, Registered};
use reqwest::Method;

use super::callers::{JsonOf, waiting};
use super::failure::Failure;
use super::link::{Call, Client, Twice, read};

/// A job that a runner was given, as far as words about it need it.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// What the runner sends as its name.
    pub runner: &'a str,
    /// The job's name.
    pub id: &'a str,
}

/// What became of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Taken,
    /// It was heard, but nobody wants the job any more.
    Cancelled,
    /// The lease is not in force; why.
    Stale(String),
}

impl Client {
    /// `POST /api/runner/register`: a name for the runner. A second one would make a second runner.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn register(&self, name: &str, types: &[String]) -> Result<Registered, Failure> {
        let request = self.request(Method::POST, &["runner", "register"]);
        let request = request.json_of(&Registration { name, capabilities: types });
        let asked = format!("register as runner {name}");
        self.told(Call { asked, request, wait: Duration::ZERO, twice: Twice::Counts }, &[]).await
    }

    /// `GET /api/runner/jobs/next`: a job of one of these types (100 at most), if one comes within `wait`. Dropping it
    /// gives up the poll, and a job on its way goes to the next runner. It is never repeated.
    ///
    /// # Errors
    /// [`Failure`]; a connection that closed without an answer means that the service restarts.
    pub async fn next(
        &self,
        runner: &str,
        types: &[String],
        wait: Duration,
    ) -> Result<Option<NextJob>, Failure> {
        let types: Vec<_> = types.iter().map(|name| ("types[]", name)).collect();
        let request = self.request(Method::GET, &["runner", "jobs", "next"]).header(RUNNER_ID, runner);
        let request = waiting(request.query(&types), wait);
        let asked = "ask for the next job".to_owned();
        let call = Call { asked: asked.clone(), request, wait, twice: Twice::Harmless };
        let Some(body) = self.clone().with_patience(Duration::ZERO).answer(call, &[]).await? else {
            return Ok(None);
        };
        let Next { job } = read(&body).map_err(|reason| self.failure(asked, reason))?;
        Ok(Some(job))
    }

    /// `POST .../start`: execute it only when this is taken. Safe to repeat.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn start(&self, job: Job<'_>, lease: u64) -> Result<Verdict, Failure> {
        self.say(job, "start", &Word { lease, ..Word::default() }, Twice::Harmless).await
    }

    /// `POST .../heartbeat`. With a piece of console it is repeated only when nothing was done: a piece that comes twice
    /// stands there twice.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn heartbeat(&self, job: Job<'_>, word: &Word<'_>) -> Result<Verdict, Failure> {
        let twice = if word.console_append.is_some() { Twice::Counts } else { Twice::Harmless };
        self.say(job, "heartbeat", word, twice).await
    }

    /// `POST .../complete` with `output_data`. Safe to repeat: what was taken is not taken twice.
    ///
    /// # Errors
    /// [`Failure`]; status 400 when the service does not want such a result.
    pub async fn complete(&self, job: Job<'_>, word: &Word<'_>) -> Result<Verdict, Failure> {
        self.say(job, "complete", word, Twice::Harmless).await
    }

    /// `POST .../error` with `error_message`. Safe to repeat.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn fail(&self, job: Job<'_>, word: &Word<'_>) -> Result<Verdict, Failure> {
        self.say(job, "error", word, Twice::Harmless).await
    }

    async fn say(
        &self,
        Job { runner, id }: Job<'_>,
        what: &str,
        word: &Word<'_>,
        twice: Twice,
    ) -> Result<Verdict, Failure> {
        let request = self.request(Method::POST, &["runner", "jobs", id, what]);
        let request = request.header(RUNNER_ID, runner).json_of(word);
        let asked = format!("say {what} of job {id}");
        let heard: Heard = self.told(Call { asked, request, wait: Duration::ZERO, twice }, &[409]).await?;
        Ok(match heard {
            Heard { success: false, message, .. } => Verdict::Stale(message),
            Heard { cancelled: Some(true), .. } => Verdict::Cancelled,
            Heard { .. } => Verdict::Taken,
        })
    }
}
