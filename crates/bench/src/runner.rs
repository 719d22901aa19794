//! `pilotlight-bench runner`: the time of a job executed by a new process, and by a warm process (`--keep`).
//!
//! The command is a Python script that imports `json` and `decimal`. There is one service, one caller and one job at a
//! time; both modes are measured in turn.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use tokio::time::timeout;

use crate::binaries::{Binaries, BinaryArgs};
use crate::folder::Folder;
use crate::load::connection::{Connection, Response, Route};
use crate::machine::Machine;
use crate::progress::Progress;
use crate::regression::{self, MIN_PAIRS};
use crate::report::{self, Figure, Goal, Measurement, ReportArgs};
use crate::series::{Series, Unit, median, quantile, round_order};
use crate::server_process::Server;

const ONE_SHOT_SCRIPT: &str = "import decimal, json, sys\nprint(json.dumps(json.load(sys.stdin)))\n";

const WARM_SCRIPT: &str = "import decimal, json, sys\nfor line in sys.stdin:\n    print(json.dumps(json.loads(line)), flush=True)\n";

/// How many times faster a warm process must be per job.
const MIN_SPEEDUP: f64 = 20.0;

/// The time limit of a step: a runner that does not answer must not block the bench for ever.
const STEP_TIMEOUT: Duration = Duration::from_secs(120);

#[derive(Debug, Args)]
pub(crate) struct RunnerArgs {
    #[command(flatten)]
    binaries: BinaryArgs,
    /// Fewer rounds: enough to find a mistake, not enough to judge a change.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    reporting: ReportArgs,
}

/// The JSON record.
#[derive(Serialize)]
struct Record {
    bench: &'static str,
    #[serde(flatten)]
    binaries: Binaries,
    machine: Machine,
    quick: bool,
    ok: bool,
    figures: Vec<Figure>,
    series: Vec<Series<Contender>>,
}

/// The binary whose service and runners are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Contender {
    /// The older binary.
    Before,
    Measured,
}

/// How the command is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A new process for each job.
    OneShot,
    /// One process for all jobs.
    Warm,
}

/// One service of a contender with a runner for each mode.
struct Setup {
    contender: Contender,
    runners: [RunnerSetup; 2],
    // Dropped after the runners and before the data folder.
    _server: Server,
    _data: Folder,
}

/// A runner, and the caller that submits jobs for it.
struct RunnerSetup {
    mode: Mode,
    caller: Connection,
    submitted: u64,
    _runner: Server,
}

/// The measurements so far: the median and the 99th percentile of each mode, by round.
struct Measured {
    one_shot: [Series<Contender>; 2],
    warm: [Series<Contender>; 2],
}

/// Measures and prints the table. Returns true if every goal was met, or with `--no-check`.
pub(crate) async fn run(args: RunnerArgs) -> Result<bool> {
    let machine = Machine::detect()?;
    let binaries = args.binaries.resolve()?;
    let scripts = Scripts::write()?;
    let mut setups = Vec::new();
    if binaries.against.is_some() {
        setups.push(Setup::start(Contender::Before, binaries.against()?, &scripts).await?);
    }
    setups.push(Setup::start(Contender::Measured, binaries.server()?, &scripts).await?);
    let rounds = if args.quick { 3 } else { 9 };
    let rounds = if binaries.against.is_some() { rounds.max(MIN_PAIRS) } else { rounds };
    let measured = measure(&mut setups, rounds).await?;
    let figures = measured.figures();
    let ok = report::all_met(&figures);
    let series = measured.one_shot.into_iter().chain(measured.warm).collect();
    let record = Record { bench: "runner", binaries, machine, quick: args.quick, ok, figures, series };
    let headline = format!("{}; {}", record.binaries, record.machine);
    args.reporting.print_and_check(headline, &record.figures, &record)
}

async fn measure(setups: &mut [Setup], rounds: usize) -> Result<Measured> {
    let mut measured = Measured::new();
    let progress = Progress::new(rounds);
    let indexes: Vec<usize> = (0..setups.len()).collect();
    for round in 0..rounds {
        progress.next(format!("round {} of {rounds}", round + 1));
        for index in round_order(&indexes, round) {
            let setup = &mut setups[index];
            for runner in &mut setup.runners {
                let waits = timeout(STEP_TIMEOUT, runner.round()).await.context("took too long")??;
                measured.add(setup.contender, runner.mode, &waits)?;
            }
        }
    }
    Ok(measured)
}

impl Mode {
    const fn job_type(self) -> &'static str {
        match self {
            Self::OneShot => "fresh",
            Self::Warm => "kept",
        }
    }

    /// The number of jobs in one round.
    const fn jobs(self) -> usize {
        match self {
            Self::OneShot => 10,
            Self::Warm => 100,
        }
    }
}

impl Measured {
    fn new() -> Self {
        let series = |names: [&'static str; 2]| names.map(|name| Series::new(name, Unit::Micros));
        Self {
            one_shot: series(["a job by a fresh process p50", "a job by a fresh process p99"]),
            warm: series(["a job by a kept process p50", "a job by a kept process p99"]),
        }
    }

    fn add(&mut self, contender: Contender, mode: Mode, waits_us: &[f64]) -> Result<()> {
        let [p50, p99] = match mode {
            Mode::OneShot => &mut self.one_shot,
            Mode::Warm => &mut self.warm,
        };
        p50.add(contender, median(waits_us.to_vec()).context("a round without a job")?);
        p99.add(contender, quantile(waits_us.to_vec(), 0.99).context("a round without a job")?);
        Ok(())
    }

    /// The speed-up of a warm process; with an older binary also the comparison of both modes with it.
    fn figures(&self) -> Vec<Figure> {
        let p50 = |series: &[Series<Contender>; 2]| series[0].median(Contender::Measured);
        let speedup = p50(&self.one_shot).zip(p50(&self.warm));
        let speedup = speedup.into_iter().flat_map(|(one_shot, warm)| speedup_figures(one_shot, warm));
        let all = self.one_shot.iter().chain(&self.warm);
        speedup.chain(regression::figures(all, Contender::Before, Contender::Measured)).collect()
    }
}

fn speedup_figures(one_shot_us: f64, warm_us: f64) -> Vec<Figure> {
    let measurement = |name: &str, value, floor: Option<f64>| Measurement {
        name: name.to_owned(),
        unit: Unit::Micros.name(),
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

/// The scripts of the bench, in a temporary folder.
struct Scripts {
    python: String,
    folder: Folder,
}

impl Scripts {
    fn write() -> Result<Self> {
        let scripts = Self { python: python()?, folder: Folder::create()? };
        for (mode, text) in [(Mode::OneShot, ONE_SHOT_SCRIPT), (Mode::Warm, WARM_SCRIPT)] {
            std::fs::write(scripts.folder.path().join(mode.job_type()), text)?;
        }
        Ok(scripts)
    }

    /// `TYPE=COMMAND` for `pilotlight runner --type`.
    fn command(&self, mode: Mode) -> String {
        let job_type = mode.job_type();
        format!("{job_type}={} {}", self.python, self.folder.path().join(job_type).display())
    }
}

impl Setup {
    async fn start(contender: Contender, binary: &Path, scripts: &Scripts) -> Result<Self> {
        // The data is in memory, because the cost of commits is measured by the `jobs` bench.
        let data = Folder::create_in_memory()?;
        let data_dir = data.path().to_str().context("the path is not UTF-8")?;
        let settings = [("PILOTLIGHT_SERVER_PORT", "0"), ("PILOTLIGHT_SERVER_DATA_DIR", data_dir)];
        let server = Server::start(binary, &["serve"], &settings)?;
        let one_shot = RunnerSetup::start(Mode::OneShot, binary, &server, scripts).await?;
        let warm = RunnerSetup::start(Mode::Warm, binary, &server, scripts).await?;
        Ok(Self { contender, runners: [one_shot, warm], _server: server, _data: data })
    }
}

impl RunnerSetup {
    async fn start(mode: Mode, binary: &Path, server: &Server, scripts: &Scripts) -> Result<Self> {
        let (command, url) = (scripts.command(mode), format!("http://{}", server.address()));
        let mut arguments = vec!["runner", "--url", &url, "--type", &command];
        if mode == Mode::Warm {
            arguments.push("--keep");
        }
        // The runner's first line contains the service's address, which `Server::start` waits for.
        let runner = Server::start(binary, &arguments, &[])?;
        let caller = Connection::open(Route { source: None, server: server.address() }).await?;
        let mut setup = Self { mode, caller, submitted: 0, _runner: runner };
        setup.job().await?;
        Ok(setup)
    }

    /// Runs one round of jobs; returns the time from submission to result of each, in microseconds.
    async fn round(&mut self) -> Result<Vec<f64>> {
        let mut waits_us = Vec::new();
        for _ in 0..self.mode.jobs() {
            let started = Instant::now();
            self.job().await?;
            waits_us.push(started.elapsed().as_secs_f64() * 1e6);
        }
        Ok(waits_us)
    }

    async fn job(&mut self) -> Result<()> {
        self.submitted += 1;
        let input = format!("{{\"number\": {}}}", self.submitted);
        let body = format!("{{\"job_type\":\"{}\",\"input_params\":{input}}}", self.mode.job_type());
        let head = "POST /api/jobs/submit?wait_ms=60000 HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        self.caller.send(request.as_bytes()).await?;
        let Some(Response { body, .. }) = self.caller.receive().await? else {
            bail!("the service closed the connection")
        };
        let answer = String::from_utf8_lossy(body);
        ensure!(answer.contains(&format!("\"output_data\":{input}")), "not the job's result: {answer}");
        Ok(())
    }
}

/// The path of the Python interpreter itself: `python3` in PATH may be a wrapper script that searches for it.
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
    fn a_warm_process_must_be_faster_than_a_new_one_by_the_goal() {
        assert!(report::all_met(&speedup_figures(20_000.0, 1_000.0)));
        assert!(!report::all_met(&speedup_figures(19_000.0, 1_000.0)));
    }

    #[test]
    fn an_older_binary_adds_a_comparison_for_each_figure() {
        let mut measured = Measured::new();
        for (contender, us) in [(Contender::Before, 1_000.0), (Contender::Measured, 1_100.0)] {
            measured.add(contender, Mode::Warm, &[us]).unwrap();
            measured.add(contender, Mode::OneShot, &[us * 30.0]).unwrap();
        }
        let figures = measured.figures();
        assert_eq!(figures.len(), 6);
        assert!(!report::all_met(&figures), "10 % slower is too much");
    }
}
