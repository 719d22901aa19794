//! What is measured: one number per contender and round, compared within the round.
//!
//! The machine is never quiet for long, so a ratio is taken between neighbours in time, and the median of
//! these ratios is reported: a disturbed round moves it little.

use std::collections::BTreeMap;

use serde::Serialize;

use super::contender::Contender;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    #[serde(rename = "matches/s")]
    MatchesPerSecond,
    #[serde(rename = "us")]
    Micros,
    #[serde(rename = "KiB")]
    Kib,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    samples: BTreeMap<Contender, Vec<f64>>,
}

impl Series {
    pub(crate) fn new(name: &'static str, unit: Unit) -> Self {
        Self { name, unit, samples: BTreeMap::new() }
    }

    /// Adds the contender's sample of its next round.
    pub(crate) fn add(&mut self, contender: Contender, sample: f64) {
        self.samples.entry(contender).or_default().push(sample);
    }

    pub(crate) fn contenders(&self) -> impl Iterator<Item = Contender> {
        self.samples.keys().copied()
    }

    pub(crate) fn median(&self, contender: Contender) -> Option<f64> {
        median(self.samples.get(&contender)?.clone())
    }

    /// The median of the ratios contender / floor, each within one round.
    pub(crate) fn ratio(&self, contender: Contender) -> Option<f64> {
        let own = self.samples.get(&contender)?;
        let floor = self.samples.get(&Contender::Floor)?;
        median(own.iter().zip(floor).map(|(own, floor)| own / floor).collect())
    }
}

pub(crate) fn median(samples: Vec<f64>) -> Option<f64> {
    let middle = samples.len() / 2;
    let odd = samples.len() % 2 == 1;
    let sorted = sorted(samples);
    let high = *sorted.get(middle)?;
    Some(if odd { high } else { f64::midpoint(sorted[middle - 1], high) })
}

/// The smallest sample that `share` (0 to 1) of all samples do not exceed.
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
    fn the_median_lies_in_the_middle() {
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
    fn a_ratio_compares_within_a_round() {
        let mut series = Series::new("x", Unit::Micros);
        for (floor, own) in [(10.0, 20.0), (100.0, 200.0), (50.0, 500.0)] {
            series.add(Contender::Floor, floor);
            series.add(Contender::AckOn, own);
        }
        assert_eq!(series.ratio(Contender::AckOn), Some(2.0));
        assert_eq!(series.median(Contender::AckOn), Some(200.0));
    }
}
