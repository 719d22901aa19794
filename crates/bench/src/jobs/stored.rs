//! Fills a store before its server starts, by the operations of the store: through HTTP, a million jobs would take an
//! hour.
//!
//! Nine of ten jobs are completed; each tenth job waits and has no runner. The jobs were submitted over the last ten
//! days.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use fastrand::Rng;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{
    CacheMode, Event, Fingerprint, JobId, JobOptions, JobPolicy, LeaseClaim, LeaseId, QueueLimits,
};
use pilotlight_core::time::Timestamp;
use pilotlight_store::sqlite::Sqlite;
use pilotlight_store::{
    ConsoleUpdate, EventOutcome, Limits, NewJob, RunnerOutput, Settings, Store, SubmitOutcome,
};
use tokio::task::JoinSet;

use super::calls::{CACHED_TYPE, CONSOLE, INPUT, OUTPUT};

/// The default of `server.data_dir`, relative to the folder in which the server is started.
const STORE: &str = "pilotlight-data";
/// The number of concurrent callers: enough for many writes to share each commit.
const CALLERS: u64 = 256;
/// One of this many jobs has a type that no runner of the bench executes, and stays waiting.
const ONE_IN_WAITING: u64 = 10;
const UNSERVED_TYPE: &str = "bench_nobody";

const HISTORY: Duration = Duration::from_secs(10 * 24 * 60 * 60);

/// Creates a store with this many jobs.
pub(super) async fn fill(folder: &Path, jobs: u64) -> Result<()> {
    let store = Sqlite::open(&folder.join(STORE), settings())?;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(store_each(store.clone(), caller, jobs));
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(())
}

fn settings() -> Settings {
    Settings {
        policy: JobPolicy {
            heartbeat_timeout: Duration::from_secs(90),
            start_timeout: Duration::from_secs(2),
            lost_retries: 3,
            failed_ttl: Duration::from_secs(600),
        },
        webhook_types: Arc::new(HashSet::new()),
        limits: Limits { console_bytes: 1 << 20 },
        queue_limits: QueueLimits { jobs: 1_000_000, bytes: 4 << 30 },
    }
}

async fn store_each(store: Arc<dyn Store>, caller: u64, jobs: u64) -> Result<()> {
    let mut rng = Rng::with_seed(caller);
    let start = now()?.before(HISTORY);
    for number in (caller..jobs).step_by(usize::try_from(CALLERS)?) {
        let at = start.after(HISTORY.mul_f64(share(number, jobs)));
        if number % ONE_IN_WAITING == 0 {
            submit(&*store, &mut rng, UNSERVED_TYPE, at).await?;
        } else {
            let job = submit(&*store, &mut rng, CACHED_TYPE, at).await?;
            complete(&*store, job, at).await?;
        }
    }
    Ok(())
}

async fn submit(store: &dyn Store, rng: &mut Rng, job_type: &str, at: Timestamp) -> Result<JobId> {
    let (mut random, mut key) = ([0; 10], [0; 32]);
    rng.fill(&mut random);
    rng.fill(&mut key);
    let new = NewJob {
        id: JobId::new(at, random),
        job_type: JobType::parse(job_type)?,
        key: CacheKey::from_bytes(key),
        input: INPUT.to_owned(),
        options: JobOptions::default_at(at),
        cache_mode: CacheMode::Reuse,
        idempotency_key: None,
    };
    match store.submit(new, at).await? {
        SubmitOutcome::New(job) => Ok(job.id),
        other @ (SubmitOutcome::Existing(_) | SubmitOutcome::Conflict | SubmitOutcome::QueueFull(_)) => {
            bail!("a new job was not accepted as new: {other:?}")
        }
    }
}

async fn complete(store: &dyn Store, job: JobId, at: Timestamp) -> Result<()> {
    let runner = RunnerId::parse("bench")?;
    ensure_accepted(
        store.apply_event(job, Event::Claim { runner: runner.clone() }, RunnerOutput::default(), at).await?,
    )?;
    let lease_claim = LeaseClaim { runner, lease: Some(LeaseId::new(1)) };
    let result = Fingerprint([7; 32]);
    let output = RunnerOutput {
        console: Some(ConsoleUpdate::Replace(CONSOLE.to_owned())),
        result: Some(OUTPUT.to_owned()),
        error: None,
    };
    ensure_accepted(store.apply_event(job, Event::Complete { lease_claim, result }, output, at).await?)
}

fn ensure_accepted(outcome: EventOutcome) -> Result<()> {
    match outcome {
        EventOutcome::Applied(_) => Ok(()),
        EventOutcome::Rejected(..) | EventOutcome::ConsoleFull | EventOutcome::UnknownJob => {
            bail!("an event was not accepted: {outcome:?}")
        }
    }
}

fn now() -> Result<Timestamp> {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    Ok(Timestamp::from_millis(u64::try_from(millis)?))
}

#[expect(clippy::cast_precision_loss, reason = "a share of ten days")]
fn share(number: u64, jobs: u64) -> f64 {
    number as f64 / jobs as f64
}

#[cfg(test)]
mod tests {
    use pilotlight_core::job::Status;
    use pilotlight_store::JobFilter;

    use super::*;
    use crate::folder::Folder;

    #[tokio::test]
    async fn a_full_store_has_the_requested_jobs_most_of_them_completed() -> Result<()> {
        let folder = Folder::create()?;
        fill(folder.path(), 200).await?;
        let store = Sqlite::open(&folder.path().join(STORE), settings())?;
        for (status, count) in [(Status::Completed, 180), (Status::Pending, 20)] {
            let filter = JobFilter { status: Some(status), limit: 1 };
            assert_eq!(store.jobs(filter, now()?).await?.1, count, "{status:?}");
        }
        Ok(())
    }
}
