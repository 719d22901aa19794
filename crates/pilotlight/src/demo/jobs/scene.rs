//! The jobs scene of `pilotlight demo`. It measures one job in three ways: cold (no runner waits), warm (a runner with
//! a running process waits) and cached (the result is stored). Then it measures a new job that many callers submit at
//! once.

use std::path::Path;
use std::time::{Duration, Instant};

use pilotlight_client::Client;
use pilotlight_runner::RunnerProcess;
use tokio::time::sleep;

use super::callers::{self, CachePolicy, TimedResult};
use super::error::SceneError;
use super::program::{PrimeJob, Program, prime_jobs};
use super::report::{JobsReport, Measurements};

/// Number of cold submissions.
const COLD: usize = 3;
/// Number of warm submissions.
const WARM: usize = 50;
/// Number of submissions that the cache answers.
const CACHED: usize = 200;
/// Number of callers that submit the new job at once.
const CALLERS: usize = 100;

/// The pause before each warm submission. A runner that has reported a result nearly always polls again within this
/// time, so the submission finds a waiting runner.
const NEXT_POLL_WITHIN: Duration = Duration::from_millis(3);

/// What the scene needs: a service without other clients, and a folder for files.
#[derive(Debug)]
pub(crate) struct SceneContext<'a> {
    /// A client of the service.
    pub(crate) client: &'a Client,
    /// An empty folder.
    pub(crate) folder: &'a Path,
}

/// Runs the scene.
///
/// # Errors
/// [`SceneError`]. Unexpected measurements are not an error here: see [`JobsReport::violations`].
pub(crate) async fn run(context: &SceneContext<'_>) -> Result<JobsReport, SceneError> {
    let [repeated, new] = prime_jobs();
    let program = Program::write(context.folder)?.ok_or(SceneError::NoInterpreter)?;
    let scene = Scene { client: context.client, program };
    let cold = scene.measure_cold(&repeated).await?;
    // With `--keep`, the runner keeps the program's process for the next job.
    let mut runner = scene.runner(&["--keep"])?;
    let warm_and_more = scene.measure_with_runner(&repeated, &new);
    let [warm, cached, together] = tokio::select! {
        measured = warm_and_more => measured?,
        ended = runner.wait() => return Err(SceneError::RunnerEnded(ended?)),
    };
    runner.stop().await?;
    Ok(JobsReport { program: scene.program.interpreter, cold, warm, cached, together })
}

struct Scene<'a> {
    client: &'a Client,
    program: Program,
}

impl Scene<'_> {
    /// Measures jobs that no runner waits for. After each submission a runner is started, and it starts a process for
    /// the job.
    async fn measure_cold(&self, prime_job: &PrimeJob) -> Result<Measurements, SceneError> {
        let before = self.program.executions()?;
        let mut answers = Vec::new();
        for _ in 0..COLD {
            let submitted = Instant::now();
            let id = callers::submit(self.client, prime_job, CachePolicy::Recompute).await?;
            let mut runner = self.runner(&[])?;
            answers.push(tokio::select! {
                answer = callers::wait_for_result(self.client, &id, submitted) => answer?,
                ended = runner.wait() => return Err(SceneError::RunnerEnded(ended?)),
            });
            runner.stop().await?;
        }
        self.measurements_since(&answers, prime_job, before)
    }

    async fn measure_with_runner(
        &self,
        repeated: &PrimeJob,
        new: &PrimeJob,
    ) -> Result<[Measurements; 3], SceneError> {
        // Not measured: this first job starts the process, which then computes its table of primes.
        callers::submit_and_wait(self.client, repeated, CachePolicy::Recompute).await?;
        let warm = self.measure_sequentially(repeated, CachePolicy::Recompute, WARM).await?;
        let cached = self.measure_sequentially(repeated, CachePolicy::AcceptCached, CACHED).await?;
        let before = self.program.executions()?;
        let answers = callers::submit_concurrently(self.client, new, CALLERS).await?;
        Ok([warm, cached, self.measurements_since(&answers, new, before)?])
    }

    async fn measure_sequentially(
        &self,
        prime_job: &PrimeJob,
        cache_policy: CachePolicy,
        times: usize,
    ) -> Result<Measurements, SceneError> {
        let before = self.program.executions()?;
        let mut answers = Vec::new();
        for _ in 0..times {
            if cache_policy == CachePolicy::Recompute {
                sleep(NEXT_POLL_WITHIN).await;
            }
            answers.push(callers::submit_and_wait(self.client, prime_job, cache_policy).await?);
        }
        self.measurements_since(&answers, prime_job, before)
    }

    fn measurements_since(
        &self,
        answers: &[TimedResult],
        prime_job: &PrimeJob,
        before: usize,
    ) -> Result<Measurements, SceneError> {
        Ok(Measurements::new(answers, prime_job.prime, self.program.executions()? - before))
    }

    fn runner(&self, extra_arguments: &[&str]) -> Result<RunnerProcess, SceneError> {
        let (url, type_argument) = (self.client.address(), self.program.type_argument()?);
        Ok(RunnerProcess::start(&[&["--url", &url, "--type", &type_argument], extra_arguments].concat())?)
    }
}
