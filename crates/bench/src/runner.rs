//! `pilotlight-bench runner`: what it costs to execute a job by a command of its own and by one that is kept. The command
//! is Python that imports `json` and `decimal`; one service, one caller, one job at a time, both ways in turns.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use tokio::time::timeout;

use crate::folder::Folder;
use crate::load::connection::{Connection, Response, Route};
use crate::machine::Machine;
use crate::progress::Progress;
use crate::report::{self, Figure, Goal, Measurement, ReportArgs};
use crate::server_process::Server;

const ONE_SHOT_SCRIPT: &str = "import decimal, json, sys\nprint(json.dumps(json.load(sys.stdin)))\n";

const WARM_SCRIPT: &str = "import decimal, json, sys\nfor line in sys.stdin:\n    print(json.dumps(json.loads(line)), flush=True)\n";

/// How much faster a kept process is to be, per job.
const MIN_SPEEDUP: f64 = 20.0;

/// A runner that does not answer must not hold up the bench for ever.
const STEP_AT_MOST: Duration = Duration::from_secs(120);

#[derive(Debug, Args)]
pub(crate) struct RunnerArgs {
    /// The `pilotlight` binary to measure.
    #[arg(long, value_name = "PATH")]
    server: PathBuf,
    /// Fewer rounds: good enough to see a mistake, not to judge a change.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    reporting: ReportArgs,
}

/// What a program reads.
#[derive(Serialize)]
struct Record {
    bench: &'static str,
    machine: Machine,
    quick: bool,
    ok: bool,
    figures: Vec<Figure>,
}

/// A runner, and jobs for it.
struct RunnerSetup {
    job_type: &'static str,
    /// In one round.
    jobs: usize,
    caller: Connection,
    submitted: u64,
    round_us: Vec<f64>,
    _runner: Server,
}

/// Measures and prints the table. Returns whether the goal was met, or need not be.
pub(crate) async fn run(args: RunnerArgs) -> Result<bool> {
    let machine = Machine::detect()?;
    let product = args.server.canonicalize().with_context(|| args.server.display().to_string())?;
    let (python, scripts) = (python()?, Folder::create()?);
    // What a commit costs is the other bench's question.
    let data = Folder::create_in_memory()?;
    let data_dir = data.path().to_str().context("a plain path")?;
    let settings = [("PILOTLIGHT_SERVER_PORT", "0"), ("PILOTLIGHT_SERVER_DATA_DIR", data_dir)];
    let server = Server::start(&product, &["serve"], &settings)?;
    let start = |job_type, jobs, script, keep| {
        RunnerSetup::start(
            &product,
            &server,
            Script { python: &python, folder: scripts.path(), text: script },
            (job_type, jobs, keep),
        )
    };
    let mut one_shot = start("fresh", 10, ONE_SHOT_SCRIPT, None).await?;
    let mut warm = start("kept", 100, WARM_SCRIPT, Some("--keep")).await?;
    let rounds = if args.quick { 3 } else { 9 };
    let progress = Progress::new(rounds);
    for round in 1..=rounds {
        progress.next(format!("round {round} of {rounds}"));
        for setup in [&mut one_shot, &mut warm] {
            timeout(STEP_AT_MOST, setup.round()).await.context("took too long")??;
        }
    }
    let figures = figures(one_shot.median_us(), warm.median_us());
    let ok = report::all_met(&figures);
    let record = Record { bench: "runner", machine, quick: args.quick, ok, figures };
    args.reporting.print_and_check(&record.machine, &record.figures, &record)
}

fn figures(one_shot_us: f64, warm_us: f64) -> Vec<Figure> {
    let measurement = |name: &str, value, floor: Option<f64>| Measurement {
        name: name.to_owned(),
        unit: "us",
        value,
        floor,
        ratio: floor.map(|floor| value / floor),
    };
    vec![
        measurement("a job by a kept process p50", warm_us, None).judge(None),
        measurement("a job by a fresh process p50, beside the kept one", one_shot_us, Some(warm_us))
            .judge(Some(Goal::RatioAtLeast(MIN_SPEEDUP))),
    ]
}

/// A command of the bench.
struct Script<'a> {
    python: &'a str,
    folder: &'a Path,
    text: &'a str,
}

impl RunnerSetup {
    async fn start(
        product: &Path,
        server: &Server,
        script: Script<'_>,
        (job_type, jobs, keep): (&'static str, usize, Option<&str>),
    ) -> Result<Self> {
        let file = script.folder.join(job_type);
        std::fs::write(&file, script.text)?;
        let command = format!("{job_type}={} {}", script.python, file.display());
        let url = format!("http://{}", server.address());
        let mut arguments = vec!["runner", "--url", &url, "--type", &command];
        arguments.extend(keep);
        // Its first line names the service's address.
        let runner = Server::start(product, &arguments, &[])?;
        let caller = Connection::open(Route { source: None, server: server.address() }).await?;
        let mut setup = Self { job_type, jobs, caller, submitted: 0, round_us: Vec::new(), _runner: runner };
        setup.job().await?;
        Ok(setup)
    }

    /// The middle of some jobs, each from its submission to its result.
    async fn round(&mut self) -> Result<()> {
        let mut durations_us = Vec::new();
        for _ in 0..self.jobs {
            let started = Instant::now();
            self.job().await?;
            durations_us.push(started.elapsed().as_secs_f64() * 1e6);
        }
        self.round_us.push(median(durations_us));
        Ok(())
    }

    async fn job(&mut self) -> Result<()> {
        self.submitted += 1;
        let input = format!("{{\"number\": {}}}", self.submitted);
        let body = format!("{{\"job_type\":\"{}\",\"input_params\":{input}}}", self.job_type);
        let head = "POST /api/jobs/submit?wait_ms=60000 HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        self.caller.send(request.as_bytes()).await?;
        let Some(Response { body, .. }) = self.caller.receive().await? else { bail!("the service closed") };
        let answer = String::from_utf8_lossy(body);
        ensure!(answer.contains(&format!("\"output_data\":{input}")), "not the job's result: {answer}");
        Ok(())
    }

    fn median_us(&self) -> f64 {
        median(self.round_us.clone())
    }
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// The interpreter itself: what stands in PATH may be a script that looks for it.
fn python() -> Result<String> {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let output = output.context("find python3")?;
    ensure!(output.status.success(), "python3 does not work");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_goal_is_a_ratio_of_both_ways() {
        assert!(report::all_met(&figures(20_000.0, 1_000.0)));
        assert!(!report::all_met(&figures(19_000.0, 1_000.0)));
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
