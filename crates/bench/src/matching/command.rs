//! `pilotlight-bench match`: options, plan and record.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::bench::Bench;
use super::contender::Contender;
use super::goals;
use super::memory;
use super::one_at_a_time::{self, LatencyPlan, Repoll};
use super::throughput::{self, ThroughputPlan};
use crate::binaries::{Binaries, BinaryArgs};
use crate::load::run_counts::RunCounts;
use crate::machine::Machine;
use crate::open_files;
use crate::regression::MIN_PAIRS;
use crate::report::{self, Figure, ReportArgs};
use crate::series::Series;

#[derive(Debug, Args)]
pub(crate) struct MatchArgs {
    #[command(flatten)]
    binaries: BinaryArgs,
    /// Fewer and shorter rounds: enough to find a mistake, not enough to judge a change.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    reporting: ReportArgs,
    /// Measure only this part; may be repeated.
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Throughput,
    Latency,
    Memory,
}

/// The amount of each measurement.
struct Plan {
    throughput: ThroughputPlan,
    latency: LatencyPlan,
    paused: LatencyPlan,
    polls: usize,
}

impl Plan {
    const FULL: Self = Self {
        throughput: ThroughputPlan {
            rounds: 11,
            warm_up: Duration::from_millis(300),
            window: Duration::from_secs(1),
        },
        latency: LatencyPlan { blocks: 10, offers: 500, repoll: Repoll::AtOnce },
        paused: LatencyPlan { blocks: 3, offers: 96, repoll: Repoll::AfterPause },
        polls: 15_000,
    };

    const QUICK: Self = Self {
        throughput: ThroughputPlan {
            rounds: 3,
            warm_up: Duration::from_millis(200),
            window: Duration::from_millis(700),
        },
        latency: LatencyPlan { blocks: 4, offers: 200, repoll: Repoll::AtOnce },
        paused: LatencyPlan { blocks: 1, offers: 48, repoll: Repoll::AfterPause },
        polls: 3_000,
    };

    /// The same plan with at least as many rounds as a comparison of two binaries needs.
    fn in_pairs(self) -> Self {
        let pairs = |plan: LatencyPlan| LatencyPlan { blocks: plan.blocks.max(MIN_PAIRS), ..plan };
        let rounds = self.throughput.rounds.max(MIN_PAIRS);
        Self {
            throughput: ThroughputPlan { rounds, ..self.throughput },
            latency: pairs(self.latency),
            paused: pairs(self.paused),
            polls: self.polls,
        }
    }

    /// The number of measurements of these parts.
    fn steps(&self, parts: &[Part], contenders: usize) -> usize {
        let steps = parts.iter().map(|part| match part {
            Part::Throughput => self.throughput.rounds * contenders,
            Part::Latency => (self.latency.blocks + self.paused.blocks + 2) * contenders,
            Part::Memory => 2,
        });
        steps.sum()
    }
}

/// The JSON record.
#[derive(Serialize)]
struct Record {
    bench: &'static str,
    #[serde(flatten)]
    binaries: Binaries,
    quick: bool,
    machine: Machine,
    /// The number of parked polls; fewer than planned if the limit of open files is low.
    parked_polls: usize,
    ok: bool,
    figures: Vec<Figure>,
    runs: BTreeMap<Contender, RunCounts>,
    series: Vec<Series<Contender>>,
}

/// Measures, prints the table and writes the record. Returns true if every goal was met, or with `--no-check`.
pub(crate) async fn run(args: MatchArgs) -> Result<bool> {
    let record = measure(&args).await?;
    args.reporting.print_and_check(headline(&record), &record.figures, &record)
}

async fn measure(args: &MatchArgs) -> Result<Record> {
    let machine = Machine::detect()?;
    let open_files = open_files::raise_limit().context("raise the limit of open files")?;
    let plan = if args.quick { Plan::QUICK } else { Plan::FULL };
    let binaries = args.binaries.resolve()?;
    let plan = if binaries.against.is_some() { plan.in_pairs() } else { plan };
    let parts = if args.only.is_empty() { Part::value_variants() } else { &args.only };
    let steps = plan.steps(parts, Contender::all(&binaries).len());
    let mut bench = Bench::new(binaries.clone(), steps);
    let polls = plan.polls.min(usize::try_from(open_files)?.saturating_sub(500));
    let series = measure_parts(&mut bench, &Plan { polls, ..plan }, parts).await?;
    let figures = goals::figures(&series, &bench.run_counts_by_contender);
    let (ok, quick) = (report::all_met(&figures), args.quick);
    let runs = bench.run_counts_by_contender.clone();
    Ok(Record { bench: "match", binaries, quick, machine, parked_polls: polls, ok, figures, runs, series })
}

async fn measure_parts(bench: &mut Bench, plan: &Plan, parts: &[Part]) -> Result<Vec<Series<Contender>>> {
    let mut series = Vec::new();
    if parts.contains(&Part::Throughput) {
        series.extend(throughput::measure(bench, plan.throughput).await?);
    }
    if parts.contains(&Part::Latency) {
        series.extend(one_at_a_time::measure(bench, plan.latency).await?);
        series.extend(one_at_a_time::measure(bench, plan.paused).await?);
    }
    if parts.contains(&Part::Memory) {
        series.push(memory::measure(bench, plan.polls).await?);
    }
    Ok(series)
}

fn headline(record: &Record) -> String {
    format!("{}; {}; memory with {} parked polls", record.binaries, record.machine, record.parked_polls)
}
