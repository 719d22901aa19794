//! `pilotlight-bench jobs`: options, plan and record.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use tokio::time::timeout;

use super::calls::Numbers;
use super::contender::Contender;
use super::goals::{
    self, ANSWER_CPU, CACHED_ANSWERS, COMMITS, CYCLE_CPU, LIFE_CYCLES, ONE_COMMIT, SUBMIT_TO_RUNNER,
    SUBMIT_TO_RUNNER_P99,
};
use super::one_at_a_time::{submit_to_runner, two_round_trips_us};
use super::setup::JobsSetup;
use super::stored;
use super::throughput::{self, CALLERS, ThroughputPlan, Work};
use crate::bare_commits::BareCommits;
use crate::binaries::{Binaries, BinaryArgs};
use crate::folder::Folder;
use crate::machine::Machine;
use crate::progress::Progress;
use crate::regression::MIN_PAIRS;
use crate::report::{self, Figure, ReportArgs};
use crate::series::{Series, Unit, round_order};

#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    #[command(flatten)]
    binaries: BinaryArgs,
    /// Fewer and shorter rounds, and a smaller store: enough to find a mistake, not enough to judge a change.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    reporting: ReportArgs,
    /// Number of jobs in the full store [default: 1,000,000, or 20,000 with --quick].
    #[arg(long, value_name = "JOBS")]
    stored: Option<u64>,
}

/// The amount of each measurement.
struct Plan {
    rounds: usize,
    throughput: ThroughputPlan,
    /// Jobs in one block of `one_at_a_time`.
    jobs: usize,
    /// The time of each of the two measurements of bare commits: with one caller and with all callers.
    commits: Duration,
    stored: u64,
}

impl Plan {
    const FULL: Self = Self {
        rounds: 9,
        throughput: ThroughputPlan {
            warm_up: Duration::from_millis(300),
            window: Duration::from_millis(1_500),
        },
        jobs: 200,
        commits: Duration::from_millis(500),
        stored: 1_000_000,
    };

    const QUICK: Self = Self {
        rounds: 3,
        throughput: ThroughputPlan {
            warm_up: Duration::from_millis(200),
            window: Duration::from_millis(700),
        },
        jobs: 60,
        commits: Duration::from_millis(300),
        stored: 20_000,
    };

    /// The number of measurements.
    const fn steps(&self, servers: usize) -> usize {
        self.rounds * (1 + 3 * servers) + 1
    }
}

/// The time limit of a step: a server that does not answer must not block the bench for ever.
const STEP_TIMEOUT: Duration = Duration::from_secs(60);

/// The JSON record.
#[derive(Serialize)]
struct Record {
    bench: &'static str,
    #[serde(flatten)]
    binaries: Binaries,
    quick: bool,
    machine: Machine,
    stored: u64,
    ok: bool,
    figures: Vec<Figure>,
    series: Vec<Series<Contender>>,
}

/// Measures, prints the table and writes the record. Returns true if every goal was met, or with `--no-check`.
pub(crate) async fn run(args: JobsArgs) -> Result<bool> {
    let record = measure(&args).await?;
    args.reporting.print_and_check(headline(&record), &record.figures, &record)
}

async fn measure(args: &JobsArgs) -> Result<Record> {
    let machine = Machine::detect()?;
    let plan = if args.quick { Plan::QUICK } else { Plan::FULL };
    let plan = Plan { stored: args.stored.unwrap_or(plan.stored), ..plan };
    let binaries = args.binaries.resolve()?;
    let rounds = if binaries.against.is_some() { plan.rounds.max(MIN_PAIRS) } else { plan.rounds };
    let plan = Plan { rounds, ..plan };
    let series = Bench::start(&plan, &binaries).await?.measure().await?;
    let figures = goals::figures(&series);
    let (ok, quick, stored) = (report::all_met(&figures), args.quick, plan.stored);
    Ok(Record { bench: "jobs", binaries, quick, machine, stored, ok, figures, series })
}

/// The servers, the bare commit loop, and the measurements so far.
struct Bench<'a> {
    plan: &'a Plan,
    setups: Vec<JobsSetup>,
    commits: BareCommits,
    numbers: Numbers,
    progress: Progress,
    series: [Series<Contender>; 8],
}

impl<'a> Bench<'a> {
    async fn start(plan: &'a Plan, binaries: &Binaries) -> Result<Self> {
        let servers = Contender::servers(binaries);
        let progress = Progress::new(plan.steps(servers.len()));
        let mut folders = Vec::new();
        for contender in servers {
            let folder = Folder::create()?;
            if *contender == Contender::Stored {
                progress.next(format!("storing {} jobs", plan.stored));
                stored::fill(folder.path(), plan.stored).await.context("fill a store")?;
            }
            folders.push((*contender, folder));
        }
        let setups = folders.into_iter();
        let setups = setups.map(|(contender, folder)| JobsSetup::start(contender, folder, binaries));
        let setups: Vec<_> = setups.collect::<Result<_>>()?;
        let numbers = Numbers::default();
        for setup in &setups {
            setup.compute_cached(&numbers).await.with_context(|| setup.contender.name())?;
        }
        Ok(Self { plan, setups, commits: BareCommits::open()?, numbers, progress, series: empty_series() })
    }

    async fn measure(mut self) -> Result<Vec<Series<Contender>>> {
        for round in 0..self.plan.rounds {
            let commit_us = self.bare_commits(round).await?;
            self.throughput(round, Work::LifeCycles).await?;
            self.throughput(round, Work::CachedAnswers).await?;
            self.one_at_a_time(round, commit_us).await?;
        }
        Ok(self.series.into())
    }

    /// Measures bare commits on all cores, which the loop and its callers share. Returns the time of one commit in
    /// microseconds.
    async fn bare_commits(&mut self, round: usize) -> Result<f64> {
        self.announce(round, "bare commits", Contender::Commits);
        let one = self.commits.single_caller_us(self.plan.commits).await?;
        let all = self.commits.per_second(CALLERS, self.plan.commits).await?;
        self.add(ONE_COMMIT, Contender::Commits, one);
        self.add(COMMITS, Contender::Commits, all);
        Ok(one)
    }

    async fn throughput(&mut self, round: usize, work: Work) -> Result<()> {
        let (name, cpu) = match work {
            Work::LifeCycles => (LIFE_CYCLES, CYCLE_CPU),
            Work::CachedAnswers => (CACHED_ANSWERS, ANSWER_CPU),
        };
        for setup in self.round_order(round) {
            let contender = self.setups[setup].contender;
            self.announce(round, name, contender);
            let measured = throughput::round(&self.setups[setup], work, self.plan.throughput, &self.numbers);
            let measured = timeout(STEP_TIMEOUT, measured).await;
            let measured = measured.context("took too long")?.with_context(|| contender.name())?;
            self.add(name, contender, measured.per_second);
            self.add(cpu, contender, measured.cpu_us);
        }
        Ok(())
    }

    async fn one_at_a_time(&mut self, round: usize, commit_us: f64) -> Result<()> {
        for setup in self.round_order(round) {
            let setup = &self.setups[setup];
            let contender = setup.contender;
            self.announce(round, SUBMIT_TO_RUNNER, contender);
            let (jobs, numbers) = (self.plan.jobs, &self.numbers);
            let measured = async {
                Ok::<_, anyhow::Error>(match contender {
                    Contender::Null | Contender::NullAgain | Contender::Commits => {
                        (2.0 * commit_us + two_round_trips_us(setup, jobs, numbers).await?, None)
                    }
                    Contender::Before | Contender::Empty | Contender::Stored => {
                        let waits = submit_to_runner(setup, jobs, numbers).await?;
                        (waits.p50_us, Some(waits.p99_us))
                    }
                })
            };
            let measured = timeout(STEP_TIMEOUT, measured).await;
            let (p50_us, p99_us) = measured.context("took too long")?.with_context(|| contender.name())?;
            self.add(SUBMIT_TO_RUNNER, contender, p50_us);
            if let Some(p99_us) = p99_us {
                self.add(SUBMIT_TO_RUNNER_P99, contender, p99_us);
            }
        }
        Ok(())
    }

    /// The indexes of the setups in the order of this round.
    fn round_order(&self, round: usize) -> Vec<usize> {
        let indexes: Vec<usize> = (0..self.setups.len()).collect();
        round_order(&indexes, round)
    }

    fn announce(&self, round: usize, what: &str, contender: Contender) {
        let (round, rounds) = (round + 1, self.plan.rounds);
        self.progress.next(format!("{what}, round {round} of {rounds}: {}", contender.name()));
    }

    fn add(&mut self, name: &str, contender: Contender, sample: f64) {
        let series = self.series.iter_mut().find(|series| series.name == name);
        series.expect("there is a series for every measurement").add(contender, sample);
    }
}

fn empty_series() -> [Series<Contender>; 8] {
    [
        (LIFE_CYCLES, Unit::CyclesPerSecond),
        (CYCLE_CPU, Unit::Micros),
        (CACHED_ANSWERS, Unit::AnswersPerSecond),
        (ANSWER_CPU, Unit::Micros),
        (SUBMIT_TO_RUNNER, Unit::Micros),
        (SUBMIT_TO_RUNNER_P99, Unit::Micros),
        (ONE_COMMIT, Unit::Micros),
        (COMMITS, Unit::CommitsPerSecond),
    ]
    .map(|(name, unit)| Series::new(name, unit))
}

fn headline(record: &Record) -> String {
    format!("{}; {}; {} stored jobs", record.binaries, record.machine, record.stored)
}
