//! Measures the throughput of a server with 64 concurrent callers, on all cores of the machine.
//!
//! Each caller has one connection and makes one call after the other: either whole life cycles (submit a new job, poll
//! for a job, start it, complete it: four durable calls), or submissions of a cached job. In a life cycle each caller
//! submits a job before it polls, so there is always a job; mostly it is another caller's. Unlike in the `match` bench,
//! servers and callers are not pinned to cores: the store writes on its own thread, and a server restricted to one core
//! would not be a realistic setup.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use super::caller::Caller;
use super::calls::Numbers;
use super::setup::{CACHED_JOBS, FIRST_CACHED, JobsSetup};

pub(super) const CALLERS: u64 = 64;

/// The work that every caller repeats.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    LifeCycles,
    CachedAnswers,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ThroughputPlan {
    pub(super) warm_up: Duration,
    pub(super) window: Duration,
}

/// The result of one round of one server.
pub(super) struct Round {
    pub(super) per_second: f64,
    /// CPU time of the server per piece of work; on a shared machine it is more stable than throughput.
    pub(super) cpu_us: f64,
}

pub(super) async fn round(
    setup: &JobsSetup,
    work: Work,
    plan: ThroughputPlan,
    numbers: &Numbers,
) -> Result<Round> {
    let callers = connect(setup, numbers).await?;
    let cpu_before = setup.server.cpu_time()?;
    let start = Instant::now() + plan.warm_up;
    let done = work_until(callers, work, start + plan.window).await?;
    let cpu = setup.server.cpu_time()?.saturating_sub(cpu_before);
    let window = start..start + plan.window;
    let in_window = done.iter().filter(|at| window.contains(at)).count();
    Ok(Round {
        per_second: number(in_window) / plan.window.as_secs_f64(),
        cpu_us: cpu.as_secs_f64() * 1e6 / number(done.len()),
    })
}

async fn connect(setup: &JobsSetup, numbers: &Numbers) -> Result<Vec<Caller>> {
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        callers.push(Caller::connect(setup.address(), numbers.clone()).await?);
    }
    Ok(callers)
}

/// Runs all callers until `end`; returns when each piece of work was done.
async fn work_until(callers: Vec<Caller>, work: Work, end: Instant) -> Result<Vec<Instant>> {
    let mut all = JoinSet::new();
    for (first, caller) in (0..).zip(callers) {
        all.spawn(work_alone_until(caller, work, end, first));
    }
    let mut done = Vec::new();
    while let Some(ended) = all.join_next().await {
        done.extend(ended?.context("a caller failed")?);
    }
    Ok(done)
}

async fn work_alone_until(
    mut caller: Caller,
    work: Work,
    end: Instant,
    mut next_cached: u64,
) -> Result<Vec<Instant>> {
    let mut done = Vec::new();
    loop {
        match work {
            Work::LifeCycles => caller.life_cycle().await?,
            Work::CachedAnswers => caller.submit_cached(FIRST_CACHED + next_cached % CACHED_JOBS).await?,
        }
        next_cached += CALLERS - 1;
        let now = Instant::now();
        done.push(now);
        if now >= end {
            return Ok(done);
        }
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("a round has fewer than four billion pieces of work"))
}
