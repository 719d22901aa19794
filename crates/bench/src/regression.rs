//! The goals of a comparison of two binaries (`--against`): how much slower the new binary may be.

use crate::report::{Figure, Goal, Measurement};
use crate::series::{Series, Unit};

/// The least number of rounds in which both binaries are measured.
pub(crate) const MIN_PAIRS: usize = 5;

/// One figure per series that has samples of both contenders: the value of `after`, and its ratio to `before`.
pub(crate) fn figures<'a, C: Copy + Ord + 'a>(
    series: impl IntoIterator<Item = &'a Series<C>>,
    before: C,
    after: C,
) -> Vec<Figure> {
    let compared = |series: &Series<C>| {
        let measurement = Measurement {
            name: series.name.to_owned(),
            unit: series.unit.name(),
            value: series.median(after)?,
            floor: Some(series.median(before)?),
            ratio: series.ratio(after, before),
        };
        Some(measurement.judge(goal(series.name, series.unit)))
    };
    series.into_iter().filter_map(compared).collect()
}

/// The goal depends on the kind of figure: rate, median or tail. Other figures (CPU time, memory) have no goal.
fn goal(name: &str, unit: Unit) -> Option<Goal> {
    if unit.is_rate() {
        Some(Goal::RatioAtLeast(0.95))
    } else if name.contains("p99") {
        Some(Goal::RatioAtMost(1.25))
    } else if name.contains("p50") {
        Some(Goal::RatioAtMost(1.05))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn a_slower_binary_misses_the_goal_of_its_kind_of_figure() {
        for (name, unit, ratio, verdict) in [
            ("throughput", Unit::MatchesPerSecond, 0.96, Verdict::Ok),
            ("throughput", Unit::MatchesPerSecond, 0.94, Verdict::Missed),
            ("answer p50", Unit::Micros, 1.04, Verdict::Ok),
            ("answer p50", Unit::Micros, 1.06, Verdict::Missed),
            ("answer p99", Unit::Micros, 1.24, Verdict::Ok),
            ("answer p99", Unit::Micros, 1.26, Verdict::Missed),
            ("server CPU per match", Unit::Micros, 2.0, Verdict::NoGoal),
        ] {
            let mut series = Series::new(name, unit);
            series.add("before", 100.0);
            series.add("after", 100.0 * ratio);
            let figures = figures([&series], "before", "after");
            assert_eq!(figures[0].verdict, verdict, "{name} {ratio}");
        }
    }

    #[test]
    fn a_series_of_one_contender_is_omitted() {
        let mut series = Series::new("one commit p50", Unit::Micros);
        series.add("floor", 1.0);
        assert!(figures([&series], "before", "after").is_empty());
    }
}
