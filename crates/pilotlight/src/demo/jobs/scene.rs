//! The scene: one job cold, warm, and known already; then a new one for which many ask at once.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use pilotlight_wire::jobs::Status;
use tokio::time::sleep;

use super::callers::{self, CachePolicy, TimedResult};
use super::program::{PrimeJob, Program, prime_jobs};
use super::report::{JobsReport, Measurements};
use crate::client::{self, Client};
use crate::runner::RunnerProcess;

const COLD: usize = 3;
const WARM: usize = 50;
const CACHED: usize = 200;
const CALLERS: usize = 100;

/// A runner that has reported a job asks for the next within this, nearly always.
const NEXT_POLL_WITHIN: Duration = Duration::from_millis(3);

/// Where it is played: a service that nobody else uses, and a folder for files.
#[derive(Debug)]
pub struct SceneContext<'a> {
    /// Speaks to the service.
    pub client: &'a Client,
    /// An empty folder.
    pub folder: &'a Path,
}

/// Why it came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// A file or a process.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The service did not do what it was asked.
    #[error("failed to {0}")]
    Call(#[from] client::ClientError),
    /// A job did not come to its result.
    #[error("a job failed: {0}")]
    Job(String),
    /// A job did not come to an end.
    #[error("a job is {0:?} after {seconds} s", seconds = callers::DEADLINE.as_secs())]
    NoEnd(Status),
    /// Nothing here can execute the job's program.
    #[error(
        "there is neither python3 nor sh with awk to execute jobs; `pilotlight demo warm-start` needs none"
    )]
    NoInterpreter,
    /// The runner is gone.
    #[error("the runner ended by itself: {0}")]
    RunnerEnded(ExitStatus),
}

/// Plays it.
///
/// # Errors
/// [`SceneError`]; what was measured and is not as it should be is the report's to say.
pub async fn run(context: &SceneContext<'_>) -> Result<JobsReport, SceneError> {
    let [repeated, new] = prime_jobs();
    let program = Program::write(context.folder)?.ok_or(SceneError::NoInterpreter)?;
    let scene = Scene { client: context.client, program };
    let cold = scene.measure_cold(&repeated).await?;
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
    /// Each time nobody waits: a runner is started for the job, and a process by it.
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
        // Whatever the process loads, it has loaded then.
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
