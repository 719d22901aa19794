//! The goals of the jobs bench, figure by figure.

use super::contender::Contender;
use crate::regression;
use crate::report::{Figure, Goal, Measurement};
use crate::series::Series;

pub(super) const LIFE_CYCLES: &str = "life cycles";
pub(super) const CYCLE_CPU: &str = "server CPU per life cycle";
pub(super) const CACHED_ANSWERS: &str = "cached answers";
pub(super) const ANSWER_CPU: &str = "server CPU per cached answer";
pub(super) const SUBMIT_TO_RUNNER: &str = "submit to runner p50";
pub(super) const SUBMIT_TO_RUNNER_P99: &str = "submit to runner p99";
pub(super) const ONE_COMMIT: &str = "one commit p50";
pub(super) const COMMITS: &str = "commits of 64 callers";

/// How much two measurements of the floor may differ; a larger difference means that the bench is not reliable.
const SAME: Goal = Goal::RatioNearOne(0.1);

/// Commits of a life cycle: submitted, leased, started, completed.
const COMMITS_PER_CYCLE: f64 = 4.0;

pub(super) fn figures(series: &[Series<Contender>]) -> Vec<Figure> {
    let against_floor = series.iter().flat_map(|series| against(Contender::Null, series));
    let against_empty = series.iter().flat_map(|series| against(Contender::Empty, series));
    let against_before = regression::figures(series, Contender::Before, Contender::Empty);
    against_floor.chain(against_empty).chain(against_before).chain(bare(series)).collect()
}

/// The figures of all contenders that are compared with `floor`.
fn against(floor: Contender, series: &Series<Contender>) -> impl Iterator<Item = Figure> {
    let measured = series.contenders().filter(move |contender| is_measure_of(floor, *contender));
    measured.filter_map(move |contender| {
        let measurement = Measurement {
            name: name(series.name, contender, floor),
            unit: series.unit.name(),
            value: series.median(contender)?,
            floor: Some(series.median(floor)?),
            ratio: series.ratio(contender, floor),
        };
        Some(measurement.judge(goal(series.name, contender, floor)))
    })
}

fn is_measure_of(floor: Contender, contender: Contender) -> bool {
    match contender {
        Contender::Empty | Contender::NullAgain => floor == Contender::Null,
        Contender::Stored => true,
        Contender::Null | Contender::Commits | Contender::Before => false,
    }
}

fn name(series: &str, contender: Contender, floor: Contender) -> String {
    match floor {
        Contender::Empty => format!("{series}, {} beside {}", contender.name(), floor.name()),
        Contender::Null
        | Contender::Commits
        | Contender::Before
        | Contender::Stored
        | Contender::NullAgain => {
            format!("{series}, {}", contender.name())
        }
    }
}

fn goal(series: &str, contender: Contender, floor: Contender) -> Option<Goal> {
    match (series, contender, floor) {
        (LIFE_CYCLES, Contender::Empty, _) => Some(Goal::RatioAtLeast(0.30)),
        (CACHED_ANSWERS, Contender::Empty, _) => Some(Goal::RatioAtLeast(0.5)),
        (SUBMIT_TO_RUNNER, Contender::Empty, _) => Some(Goal::RatioAtMost(4.0)),
        (LIFE_CYCLES | CACHED_ANSWERS, Contender::Stored, Contender::Empty) => Some(Goal::RatioAtLeast(0.8)),
        (SUBMIT_TO_RUNNER, Contender::Stored, Contender::Empty) => Some(Goal::RatioAtMost(1.2)),
        (LIFE_CYCLES | CACHED_ANSWERS, Contender::NullAgain, _) => Some(SAME),
        _ => None,
    }
}

/// The figures of the bare commit loop, and the ratio of the commits in life cycles to it.
fn bare(series: &[Series<Contender>]) -> Vec<Figure> {
    let median = |name, contender| series.iter().find(|series| series.name == name)?.median(contender);
    let commits = median(COMMITS, Contender::Commits);
    let row = |name: &str, unit, value, floor: Option<f64>| {
        let ratio = floor.map(|floor| value / floor);
        Measurement { name: name.to_owned(), unit, value, floor, ratio }.judge(None)
    };
    let of_cycles = [Contender::Empty, Contender::Stored].into_iter().filter_map(|contender| {
        let value = median(LIFE_CYCLES, contender)? * COMMITS_PER_CYCLE;
        Some(row(&format!("commits in life cycles, {}", contender.name()), "commits/s", value, commits))
    });
    let one = median(ONE_COMMIT, Contender::Commits).map(|value| row(ONE_COMMIT, "us", value, None));
    of_cycles.chain(one).collect()
}
