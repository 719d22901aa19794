//! The scene: one job cold, warm, and known already; then a new one for which many ask at once.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use pilotlight_wire::jobs::Status;
use tokio::time::sleep;

use super::callers::{self, Answer, Known};
use super::program::{Program, Question, questions};
use super::report::{Measured, Report};
use crate::client::{self, Client};
use crate::runner::RunnerProcess;

const COLD: usize = 3;
const WARM: usize = 50;
const CACHED: usize = 200;
const CALLERS: usize = 100;

/// A runner that has reported a job asks for the next within this, nearly always.
const COMES_BACK_WITHIN: Duration = Duration::from_millis(3);

/// Where it is played: a service that nobody else uses, and a folder for files.
#[derive(Debug)]
pub struct Stage<'a> {
    /// Speaks to the service.
    pub client: &'a Client,
    /// An empty folder.
    pub folder: &'a Path,
}

/// Why it came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file or a process.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The service did not do what it was asked.
    #[error("failed to {0}")]
    Call(#[from] client::Failure),
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
/// [`Failure`]; what was measured and is not as it should be is the report's to say.
pub async fn play(stage: &Stage<'_>) -> Result<Report, Failure> {
    let [again, new] = questions();
    let program = Program::write(stage.folder)?.ok_or(Failure::NoInterpreter)?;
    let scene = Scene { client: stage.client, program };
    let cold = scene.cold(&again).await?;
    let mut runner = scene.runner(&["--keep"])?;
    let warm_and_more = scene.with_a_runner(&again, &new);
    let [warm, cached, together] = tokio::select! {
        measured = warm_and_more => measured?,
        ended = runner.wait() => return Err(Failure::RunnerEnded(ended?)),
    };
    runner.stop().await?;
    Ok(Report { program: scene.program.interpreter, cold, warm, cached, together })
}

struct Scene<'a> {
    client: &'a Client,
    program: Program,
}

impl Scene<'_> {
    /// Each time nobody waits: a runner is started for the job, and a process by it.
    async fn cold(&self, question: &Question) -> Result<Measured, Failure> {
        let before = self.program.asked()?;
        let mut answers = Vec::new();
        for _ in 0..COLD {
            let submitted = Instant::now();
            let id = callers::submit(self.client, question, Known::WillNotDo).await?;
            let mut runner = self.runner(&[])?;
            answers.push(tokio::select! {
                answer = callers::end(self.client, &id, submitted) => answer?,
                ended = runner.wait() => return Err(Failure::RunnerEnded(ended?)),
            });
            runner.stop().await?;
        }
        self.measured(&answers, question, before)
    }

    async fn with_a_runner(&self, again: &Question, new: &Question) -> Result<[Measured; 3], Failure> {
        // Whatever the process loads, it has loaded then.
        callers::ask(self.client, again, Known::WillNotDo).await?;
        let warm = self.one_by_one(again, Known::WillNotDo, WARM).await?;
        let cached = self.one_by_one(again, Known::WillDo, CACHED).await?;
        let before = self.program.asked()?;
        let answers = callers::all_ask(self.client, new, CALLERS).await?;
        Ok([warm, cached, self.measured(&answers, new, before)?])
    }

    async fn one_by_one(&self, question: &Question, known: Known, times: usize) -> Result<Measured, Failure> {
        let before = self.program.asked()?;
        let mut answers = Vec::new();
        for _ in 0..times {
            if known == Known::WillNotDo {
                sleep(COMES_BACK_WITHIN).await;
            }
            answers.push(callers::ask(self.client, question, known).await?);
        }
        self.measured(&answers, question, before)
    }

    fn measured(&self, answers: &[Answer], question: &Question, before: usize) -> Result<Measured, Failure> {
        Ok(Measured::new(answers, question.prime, self.program.asked()? - before))
    }

    fn runner(&self, more: &[&str]) -> Result<RunnerProcess, Failure> {
        let (url, of_type) = (self.client.address(), self.program.of_type()?);
        Ok(RunnerProcess::start(&[&["--url", &url, "--type", &of_type], more].concat())?)
    }
}
