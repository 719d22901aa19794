//! The time from the submission of a job until a waiting runner has received it, with no other load.
//!
//! This needs at least two commits (submission and lease) and two round trips (the caller's and the runner's). So the
//! floor is two bare commits of one caller plus two single calls to the null server, measured in the same round.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::caller::Caller;
use super::calls::{Numbers, TYPE};
use super::setup::JobsSetup;
use crate::series::quantile;

/// The pause after a poll was sent; the server parks the poll in much less time.
const PARK_PAUSE: Duration = Duration::from_millis(2);

/// The times from submission to runner, in microseconds.
pub(super) struct Waits {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// Measures this many jobs, one at a time.
pub(super) async fn submit_to_runner(setup: &JobsSetup, jobs: usize, numbers: &Numbers) -> Result<Waits> {
    let (mut caller, mut runner) = (connect(setup, numbers).await?, connect(setup, numbers).await?);
    let mut waits = Vec::with_capacity(jobs);
    for _ in 0..jobs {
        waits.push(one_job(&mut caller, &mut runner).await?);
    }
    Ok(Waits { p50_us: quantile_us(&waits, 0.5)?, p99_us: quantile_us(&waits, 0.99)? })
}

async fn one_job(caller: &mut Caller, runner: &mut Caller) -> Result<Duration> {
    runner.send_poll(TYPE).await?;
    sleep(PARK_PAUSE).await;
    let submitted_at = Instant::now();
    caller.send_submission().await?;
    let at_runner =
        async { runner.receive_job().await.map(|leased_job| (leased_job, submitted_at.elapsed())) };
    let (answered, at_runner) = tokio::join!(caller.receive_submission(), at_runner);
    answered?;
    let (leased_job, wait) = at_runner?;
    runner.start_and_complete(&leased_job).await?;
    Ok(wait)
}

/// Measures the null server: the sum of the median round trips of a submission and of a `next`, in microseconds.
pub(super) async fn two_round_trips_us(setup: &JobsSetup, jobs: usize, numbers: &Numbers) -> Result<f64> {
    let mut caller = connect(setup, numbers).await?;
    let (mut submissions, mut nexts) = (Vec::with_capacity(jobs), Vec::with_capacity(jobs));
    for _ in 0..jobs {
        sleep(PARK_PAUSE).await;
        let sent = Instant::now();
        caller.submit().await?;
        submissions.push(sent.elapsed());
        sleep(PARK_PAUSE).await;
        let sent = Instant::now();
        caller.send_poll(TYPE).await?;
        caller.receive_job().await?;
        nexts.push(sent.elapsed());
    }
    Ok(quantile_us(&submissions, 0.5)? + quantile_us(&nexts, 0.5)?)
}

async fn connect(setup: &JobsSetup, numbers: &Numbers) -> Result<Caller> {
    Caller::connect(setup.address(), numbers.clone()).await
}

fn quantile_us(waits: &[Duration], share: f64) -> Result<f64> {
    let waits = waits.iter().map(|wait| wait.as_secs_f64() * 1e6).collect();
    quantile(waits, share).context("no job was measured")
}
