//! The goals of the match bench, figure by figure.

use std::collections::BTreeMap;

use super::contender::Contender;
use crate::load::run_counts::RunCounts;
use crate::regression;
use crate::report::{Figure, Goal, Measurement};
use crate::series::Series;

/// How much two measurements of the floor may differ; a larger difference means that the bench is not reliable.
const SAME: Goal = Goal::RatioNearOne(0.05);

pub(crate) fn figures(
    series: &[Series<Contender>],
    run_counts_by_contender: &BTreeMap<Contender, RunCounts>,
) -> Vec<Figure> {
    let against_floor = series.iter().flat_map(figures_of);
    let against_before = regression::figures(series, Contender::Before, Contender::AckOn);
    let counts = run_counts_by_contender.iter();
    let counts = counts.flat_map(|(contender, run_counts)| count_figures(*contender, *run_counts));
    against_floor.chain(against_before).chain(counts).collect()
}

fn figures_of(series: &Series<Contender>) -> impl Iterator<Item = Figure> {
    let others = series.contenders().filter(|contender| *contender != Contender::Floor);
    others.filter_map(|contender| {
        let measurement = Measurement {
            name: format!("{}, {}", series.name, contender.name()),
            unit: series.unit.name(),
            value: series.median(contender)?,
            floor: Some(series.median(Contender::Floor)?),
            ratio: series.ratio(contender, Contender::Floor),
        };
        Some(measurement.judge(goal(series.name, contender)))
    })
}

fn goal(series: &str, contender: Contender) -> Option<Goal> {
    match (series, contender) {
        ("throughput", Contender::AckOn) => Some(Goal::RatioAtLeast(0.65)),
        ("throughput", Contender::AckOff) => Some(Goal::RatioAtLeast(0.75)),
        ("answer p50", Contender::AckOn) => Some(Goal::RatioAtMost(2.5)),
        ("arrival p50", Contender::AckOn | Contender::AckOff) => Some(Goal::RatioAtMost(1.25)),
        ("memory per parked poll", Contender::AckOn) => Some(Goal::ValueAtMost(12.0)),
        ("throughput" | "answer p50" | "arrival p50", Contender::FloorAgain) => Some(SAME),
        _ => None,
    }
}

fn count_figures(contender: Contender, run_counts: RunCounts) -> Vec<Figure> {
    let rows = [
        ("runs matched", run_counts.warm, None),
        ("runs lost", run_counts.lost, Some(Goal::ValueAtMost(0.0))),
        ("runs at two runners", run_counts.repeated, None),
        ("runs answered false at a runner", run_counts.unannounced, None),
    ];
    let shown = rows.into_iter().enumerate().filter(|(index, row)| *index < 2 || row.1 > 0);
    shown.map(|(_, (name, count, goal))| count_reading(name, contender, count).judge(goal)).collect()
}

fn count_reading(name: &str, contender: Contender, count: usize) -> Measurement {
    let value = f64::from(u32::try_from(count).expect("fewer than four billion runs"));
    Measurement {
        name: format!("{name}, {}", contender.name()),
        unit: "runs",
        value,
        floor: None,
        ratio: None,
    }
}
