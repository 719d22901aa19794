//! A client that can be both a caller and a runner, over one keep-alive connection.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};

use super::calls::{CACHED_TYPE, Calls, LeasedJob, Numbers, TYPE};
use crate::load::connection::{Connection, Response, Route};
use crate::scan::{after, between};

pub(crate) struct Caller {
    connection: Connection,
    calls: Calls,
    runner: String,
    numbers: Numbers,
}

impl Caller {
    /// Connects, and registers as a runner.
    pub(crate) async fn connect(server: SocketAddr, numbers: Numbers) -> Result<Self> {
        let connection = Connection::open(Route { source: None, server }).await?;
        let (calls, runner) = (Calls::to(server), String::new());
        let mut caller = Self { connection, calls, runner, numbers };
        caller.connection.send(caller.calls.register()).await?;
        let answer = expect(caller.connection.receive().await?, 201, "a registration")?;
        caller.runner = text(answer, b"\"runner_id\":\"").context("no runner_id in the response")?;
        Ok(caller)
    }

    /// A life cycle: submits a job, polls, and starts and completes the job that it gets. With many clients at once,
    /// this may be the job of another client.
    pub(crate) async fn life_cycle(&mut self) -> Result<()> {
        self.submit().await?;
        self.send_poll(TYPE).await?;
        let leased_job = self.receive_job().await?;
        self.start_and_complete(&leased_job).await
    }

    /// Submits a new job.
    pub(crate) async fn submit(&mut self) -> Result<()> {
        self.send_submission().await?;
        self.receive_submission().await
    }

    pub(crate) async fn send_submission(&mut self) -> Result<()> {
        self.connection.send(self.calls.submit(TYPE, self.numbers.next())).await
    }

    pub(crate) async fn receive_submission(&mut self) -> Result<()> {
        expect(self.connection.receive().await?, 201, "a new submission").map(drop)
    }

    pub(crate) async fn send_poll(&mut self, job_type: &str) -> Result<()> {
        self.connection.send(self.calls.next(job_type, &self.runner)).await
    }

    /// Receives the response to [`Self::send_poll`].
    pub(crate) async fn receive_job(&mut self) -> Result<LeasedJob> {
        let answer = expect(self.connection.receive().await?, 200, "a poll for a job")?;
        let job = text(answer, b"\"job_id\":\"").context("no job_id in the response")?;
        let lease = after(answer, b"\"lease\":").and_then(number).context("no lease in the response")?;
        Ok(LeasedJob { job, lease })
    }

    pub(crate) async fn start_and_complete(&mut self, leased_job: &LeasedJob) -> Result<()> {
        self.connection.send(self.calls.start(&self.runner, leased_job)).await?;
        expect(self.connection.receive().await?, 200, "a start")?;
        self.connection.send(self.calls.complete(&self.runner, leased_job)).await?;
        expect(self.connection.receive().await?, 200, "a completion").map(drop)
    }

    /// Computes one of the jobs whose cached results are requested later.
    pub(crate) async fn compute_cached(&mut self, number: u64) -> Result<()> {
        self.connection.send(self.calls.submit(CACHED_TYPE, number)).await?;
        let response = self.connection.receive().await?;
        if response.as_ref().is_some_and(|response| response.status == 200) {
            return Ok(());
        }
        expect(response, 201, "a new submission")?;
        self.send_poll(CACHED_TYPE).await?;
        let leased_job = self.receive_job().await?;
        self.start_and_complete(&leased_job).await
    }

    /// Submits one of these jobs again; the response must contain the cached result.
    pub(crate) async fn submit_cached(&mut self, number: u64) -> Result<()> {
        self.connection.send(self.calls.submit(CACHED_TYPE, number)).await?;
        let answer = expect(self.connection.receive().await?, 200, "a cached submission")?;
        after(answer, b"\"segments\":").map(drop).context("no result in the response to a cached submission")
    }
}

fn expect<'a>(response: Option<Response<'a>>, status: u16, what: &str) -> Result<&'a [u8]> {
    let response =
        response.with_context(|| format!("the server closed the connection instead of answering {what}"))?;
    if response.status != status {
        let body = String::from_utf8_lossy(response.body);
        bail!("{what} was answered {}: {body:.300}", response.status);
    }
    Ok(response.body)
}

fn text(answer: &[u8], mark: &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(between(answer, mark, b'"')?).into_owned())
}

fn number(digits: &[u8]) -> Option<u64> {
    let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&digits[..length]).ok()?.parse().ok()
}
