//! Series of samples: one sample per contender and round.
//!
//! Contenders are compared within a round, because the load of the machine changes over time; the median of these
//! ratios is reported, so that a disturbed round has little effect.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    #[serde(rename = "matches/s")]
    MatchesPerSecond,
    #[serde(rename = "cycles/s")]
    CyclesPerSecond,
    #[serde(rename = "answers/s")]
    AnswersPerSecond,
    #[serde(rename = "commits/s")]
    CommitsPerSecond,
    #[serde(rename = "us")]
    Micros,
    #[serde(rename = "KiB")]
    Kib,
}

impl Unit {
    /// Whether a larger value is better.
    pub(crate) const fn is_rate(self) -> bool {
        match self {
            Self::MatchesPerSecond
            | Self::CyclesPerSecond
            | Self::AnswersPerSecond
            | Self::CommitsPerSecond => true,
            Self::Micros | Self::Kib => false,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MatchesPerSecond => "matches/s",
            Self::CyclesPerSecond => "cycles/s",
            Self::AnswersPerSecond => "answers/s",
            Self::CommitsPerSecond => "commits/s",
            Self::Micros => "us",
            Self::Kib => "KiB",
        }
    }
}

/// The contenders in the order of this round. Every second round is reversed, so that no contender always follows the
/// same one.
pub(crate) fn round_order<C: Copy>(all: &[C], round: usize) -> Vec<C> {
    let mut contenders = all.to_vec();
    if round % 2 == 1 {
        contenders.reverse();
    }
    contenders
}

/// The samples of one measured quantity by contender; `C` is the type of contenders.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Series<C: Ord> {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    samples: BTreeMap<C, Vec<f64>>,
}

impl<C: Copy + Ord> Series<C> {
    pub(crate) fn new(name: &'static str, unit: Unit) -> Self {
        Self { name, unit, samples: BTreeMap::new() }
    }

    /// Adds the contender's sample of the next round.
    pub(crate) fn add(&mut self, contender: C, sample: f64) {
        self.samples.entry(contender).or_default().push(sample);
    }

    pub(crate) fn contenders(&self) -> impl Iterator<Item = C> {
        self.samples.keys().copied()
    }

    pub(crate) fn median(&self, contender: C) -> Option<f64> {
        median(self.samples.get(&contender)?.clone())
    }

    /// The median over all rounds of the ratio of the contender's sample to the floor's sample.
    pub(crate) fn ratio(&self, contender: C, floor: C) -> Option<f64> {
        let samples = self.samples.get(&contender)?;
        let floor = self.samples.get(&floor)?;
        median(samples.iter().zip(floor).map(|(sample, floor)| sample / floor).collect())
    }
}

pub(crate) fn median(samples: Vec<f64>) -> Option<f64> {
    let middle = samples.len() / 2;
    let is_odd = samples.len() % 2 == 1;
    let sorted = sorted(samples);
    let high = *sorted.get(middle)?;
    Some(if is_odd { high } else { f64::midpoint(sorted[middle - 1], high) })
}

/// The nearest-rank quantile: the smallest sample that `share` (0 to 1) of all samples do not exceed.
pub(crate) fn quantile(samples: Vec<f64>, share: f64) -> Option<f64> {
    let last = samples.len().checked_sub(1)?;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank"
    )]
    let rank = (samples.len() as f64 * share).ceil() as usize;
    Some(sorted(samples)[rank.saturating_sub(1).min(last)])
}

fn sorted(mut samples: Vec<f64>) -> Vec<f64> {
    samples.sort_by(f64::total_cmp);
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_sample_or_the_mean_of_both() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_quantile_is_a_sample_by_nearest_rank() {
        let samples: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(quantile(samples.clone(), 0.5), Some(100.0));
        assert_eq!(quantile(samples, 0.99), Some(198.0));
        assert_eq!(quantile(vec![7.0], 0.99), Some(7.0));
        assert_eq!(quantile(vec![], 0.5), None);
    }

    #[test]
    fn round_order_alternates() {
        assert_eq!([round_order(&[1, 2, 3], 0), round_order(&[1, 2, 3], 1)], [vec![1, 2, 3], vec![3, 2, 1]]);
    }

    #[test]
    fn a_ratio_compares_within_a_round() {
        let mut series = Series::new("x", Unit::Micros);
        for (floor, sample) in [(10.0, 20.0), (100.0, 200.0), (50.0, 500.0)] {
            series.add("floor", floor);
            series.add("contender", sample);
        }
        assert_eq!(series.ratio("contender", "floor"), Some(2.0));
        assert_eq!(series.median("contender"), Some(200.0));
    }
}
