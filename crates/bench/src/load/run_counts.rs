//! Counts the outcomes of all runs after a measurement, from both the server's answers and the runs that runners
//! received.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::message::RunNumber;

/// One offer, recorded by its supervisor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) number: RunNumber,
    pub(crate) posted: Instant,
    pub(crate) answered: Instant,
    /// The answer: `didWarmStart`.
    pub(crate) warm: bool,
}

impl Offer {
    pub(crate) fn wait(&self) -> Duration {
        self.answered - self.posted
    }
}

/// One run, recorded by its runner: complete, checked, and readable since `at`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) number: RunNumber,
    pub(crate) at: Instant,
}

/// The offers by outcome.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct RunCounts {
    /// Answered `true`.
    pub(crate) warm: usize,
    /// Answered `false`.
    pub(crate) cold: usize,
    /// Answered `true`, but no runner received the run. Must be 0.
    pub(crate) lost: usize,
    /// Received by more than one runner. This is possible: a poll that was reset because of a late acknowledgement may
    /// still have received the run; the lease then decides which runner may execute it.
    pub(crate) repeated: usize,
    /// Answered `false`, but a runner received the run, for the same reason.
    pub(crate) unannounced: usize,
}

impl RunCounts {
    pub(crate) fn count(offers: &[Offer], arrivals: &[Arrival]) -> Self {
        let mut received: HashMap<RunNumber, usize> = HashMap::with_capacity(arrivals.len());
        for arrival in arrivals {
            *received.entry(arrival.number).or_default() += 1;
        }
        let mut run_counts = Self::default();
        for offer in offers {
            run_counts.add(offer.warm, received.get(&offer.number).copied().unwrap_or(0));
        }
        run_counts
    }

    fn add(&mut self, warm: bool, times_received: usize) {
        self.warm += usize::from(warm);
        self.cold += usize::from(!warm);
        self.lost += usize::from(warm && times_received == 0);
        self.repeated += usize::from(times_received > 1);
        self.unannounced += usize::from(!warm && times_received > 0);
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            warm: self.warm + other.warm,
            cold: self.cold + other.cold,
            lost: self.lost + other.lost,
            repeated: self.repeated + other.repeated,
            unannounced: self.unannounced + other.unannounced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_is_counted_by_its_number() {
        let now = Instant::now();
        let offers = [(1, true), (2, true), (3, false), (4, false), (5, true)].map(|(number, warm)| Offer {
            number: RunNumber(number),
            posted: now,
            answered: now,
            warm,
        });
        let arrivals = [1, 4, 5, 5].map(|number| Arrival { number: RunNumber(number), at: now });
        let counted = RunCounts { warm: 3, cold: 2, lost: 1, repeated: 1, unannounced: 1 };
        assert_eq!(RunCounts::count(&offers, &arrivals), counted);
    }
}
