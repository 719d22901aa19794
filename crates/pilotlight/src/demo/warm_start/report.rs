//! The report of the warm-start scene: text for people, JSON for programs.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use pilotlight_core::time::micros;
use serde::Serialize;

use super::supervisor::OfferResult;
use crate::demo::times::format_time;

/// Offers that take at least this long needed a second poll; others are always answered faster.
const CASCADED_FROM: Duration = Duration::from_millis(200);

const BAR_WIDTH: usize = 40;

/// The counts and times of a scene.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct WarmStartReport {
    /// The number of runs offered.
    pub(crate) offered: usize,
    /// How many offers were answered warm (`didWarmStart: true`).
    pub(crate) warm: usize,
    /// How many offers were answered cold (`didWarmStart: false`).
    pub(crate) cold: usize,
    /// How many runs were started warm by the second or third selected poll.
    pub(crate) cascaded: usize,
    /// How many runs were answered warm but received by no runner.
    pub(crate) lost: usize,
    /// How many runs were received by more than one runner.
    pub(crate) twice: usize,
    /// Time from the offer until the runner received the run, in microseconds.
    pub(crate) arrival_us: Percentiles,
    /// Time from the offer until the supervisor received the answer, in microseconds.
    pub(crate) answer_us: Percentiles,
    /// The longest time until an answer, in microseconds: that of the run whose first runner had died.
    pub(crate) longest_answer_us: u64,
    #[serde(skip)]
    arrivals: Vec<u64>,
}

/// Percentiles of times in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Percentiles {
    /// The median.
    pub p50: u64,
    /// The 99th percentile.
    pub p99: u64,
}

impl WarmStartReport {
    pub(super) fn new(offers: &[OfferResult], received: &[(u32, Instant)]) -> Self {
        let mut copies: HashMap<u32, (usize, Instant)> = HashMap::new();
        for (run, at) in received {
            copies.entry(*run).or_insert((0, *at)).0 += 1;
        }
        let warm: Vec<&OfferResult> = offers.iter().filter(|offer| offer.warm).collect();
        let arrivals = sorted(warm.iter().filter_map(|offer| {
            let (_, at) = copies.get(&offer.run)?;
            Some(at.duration_since(offer.offered))
        }));
        let answers = sorted(warm.iter().map(|offer| offer.answered));
        Self {
            offered: offers.len(),
            warm: warm.len(),
            cold: offers.len() - warm.len(),
            cascaded: warm.iter().filter(|offer| offer.answered >= CASCADED_FROM).count(),
            lost: warm.iter().filter(|offer| !copies.contains_key(&offer.run)).count(),
            twice: copies.values().filter(|(copies, _)| *copies > 1).count(),
            arrival_us: percentiles(&arrivals),
            answer_us: percentiles(&answers),
            longest_answer_us: answers.last().copied().unwrap_or(0),
            arrivals,
        }
    }

    /// Pairs (upper bound in microseconds, number of runs that arrived within it), by powers of two, from the first to
    /// the last bucket that is not empty.
    fn histogram(&self) -> Vec<(u64, usize)> {
        let bucket = |us: &u64| us.max(&1).next_power_of_two();
        let Some(first) = self.arrivals.first().map(bucket) else { return Vec::new() };
        let mut buckets = vec![(first, 0)];
        for arrival in self.arrivals.iter().map(bucket) {
            while buckets.last().is_some_and(|(up_to, _)| *up_to < arrival) {
                let (up_to, _) = buckets[buckets.len() - 1];
                buckets.push((up_to * 2, 0));
            }
            if let Some((_, count)) = buckets.last_mut() {
                *count += 1;
            }
        }
        buckets
    }
}

impl fmt::Display for WarmStartReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "From the offer to the run at its runner:\n")?;
        let buckets = self.histogram();
        let most = buckets.iter().map(|(_, count)| *count).max().unwrap_or(1);
        for (up_to, count) in buckets {
            let width = (count * BAR_WIDTH).div_ceil(most);
            writeln!(out, "  up to {:>9}  {:<BAR_WIDTH$}  {count}", format_time(up_to), "█".repeat(width))?;
        }
        writeln!(out, "\n  {:<10} {:>7}  of {} runs offered", "warm", self.warm, self.offered)?;
        writeln!(out, "  {:<10} {:>7}  no runner was waiting for them", "cold", self.cold)?;
        writeln!(
            out,
            "  {:<10} {:>7}  a runner died silently; another runner had its run after {}",
            "cascaded",
            self.cascaded,
            format_time(self.longest_answer_us)
        )?;
        writeln!(out, "  {:<10} {:>7}", "lost", self.lost)?;
        writeln!(out, "\n  {:<34} {:>10} {:>10}", "", "p50", "p99")?;
        for (what, times) in
            [("run at its runner", self.arrival_us), ("supervisor knows (acknowledged)", self.answer_us)]
        {
            writeln!(out, "  {what:<34} {:>10} {:>10}", format_time(times.p50), format_time(times.p99))?;
        }
        Ok(())
    }
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<u64> {
    let mut micros: Vec<u64> = times.map(micros).collect();
    micros.sort_unstable();
    micros
}

fn percentiles(sorted: &[u64]) -> Percentiles {
    let at = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)));
    Percentiles { p50: at(50).copied().unwrap_or(0), p99: at(99).copied().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(run: u32, warm: bool, answered_us: u64) -> OfferResult {
        OfferResult { run, warm, offered: Instant::now(), answered: Duration::from_micros(answered_us) }
    }

    #[test]
    fn offers_are_counted_by_outcome() {
        let offers = [offer(1, true, 90), offer(2, true, 250_000), offer(3, false, 40), offer(4, true, 100)];
        let now = Instant::now();
        let report = WarmStartReport::new(&offers, &[(1, now), (2, now), (2, now)]);
        let counts = (report.warm, report.cold, report.cascaded, report.lost, report.twice);
        assert_eq!(counts, (3, 1, 1, 1, 1));
        assert_eq!(report.longest_answer_us, 250_000);
    }
}
