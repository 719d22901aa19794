//! Compares everything `core` says with what the model says. What is long is compared in full now and then.

use pilotlight_core::time::Moment;

use super::{Broken, World};
use crate::matching::cast;

/// The whole history is read once in so many events.
const IN_FULL: u64 = 1024;

impl World {
    pub(super) fn compare(&self) -> Result<(), Broken> {
        self.compare_waiting()?;
        self.compare_pools()?;
        self.compare_runners()?;
        self.compare_executing()?;
        self.compare_history()
    }

    fn compare_waiting(&self) -> Result<(), Broken> {
        let pools = self.real.pools();
        let expected = self.model.waiting();
        Broken::unless_same("how many wait", &pools.len(), &expected.len())?;
        Broken::unless_same("how many wait, by the ledger", &pools.len(), &self.ledger.waiting())?;
        Broken::unless_same("whether nobody waits", &pools.is_empty(), &expected.is_empty())?;
        let mut listed = pools.oldest_first();
        let same = expected.iter().all(|waiting| {
            listed.next().is_some_and(|poll| {
                poll.handle == waiting.poll
                    && poll.parked_at == waiting.since
                    && cast::number_in(poll.runner.id.as_str()) == Some(waiting.runner.into())
                    && waiting.pool.is(&poll.key)
                    && self.ledger.waits(poll.handle)
            })
        });
        Broken::unless(same && listed.next().is_none(), || {
            let listed: Vec<_> = pools.oldest_first().collect();
            format!("who waits: core says {listed:?}, the model says {expected:?}")
        })
    }

    fn compare_pools(&self) -> Result<(), Broken> {
        let expected = self.model.selectable_pools();
        let keys: Vec<_> = self.real.pools().keys().collect();
        let same = keys.len() == expected.len()
            && expected.iter().all(|pool| keys.iter().filter(|key| pool.is(key)).count() == 1);
        Broken::unless(same, || format!("the pools: core says {keys:?}, the model says {expected:?}"))
    }

    /// One runner after the other, one at a time.
    fn compare_runners(&self) -> Result<(), Broken> {
        let runner = u16::try_from(self.played % 200).unwrap_or_default();
        let holds = self.real.pools().has_runner(&cast::runner_id(runner));
        let expected = self.model.waiting().iter().any(|waiting| waiting.runner == runner);
        Broken::unless_same("whether a runner waits", &(runner, holds), &(runner, expected))
    }

    fn compare_executing(&self) -> Result<(), Broken> {
        type Row = (Option<u32>, Option<u32>, Moment);
        let executing = self.real.active_runs();
        let mut core_says: Vec<Row> = executing
            .iter()
            .filter(|it| !self.model.has_forgotten(it.since))
            .map(|it| (cast::number_in(it.runner.id.as_str()), cast::number_in(it.run.as_str()), it.since))
            .collect();
        let mut expected: Vec<Row> = self
            .model
            .executing()
            .iter()
            .filter(|it| !self.model.has_forgotten(it.since))
            .map(|it| (Some(it.runner.into()), cast::number_in(cast::run_id(it.run).as_str()), it.since))
            .collect();
        core_says.sort_unstable();
        expected.sort_unstable();
        Broken::unless_same("who executes which run since when", &core_says, &expected)?;
        Broken::unless_same("how many execute", &executing.len(), &executing.iter().count())
    }

    fn compare_history(&self) -> Result<(), Broken> {
        let history = self.real.history();
        let expected = self.model.history();
        Broken::unless_same("how many offers are remembered", &history.len(), &expected.len())?;
        Broken::unless_same("the counts", &history.totals(), &self.model.totals())?;
        let compared = if self.played.is_multiple_of(IN_FULL) { usize::MAX } else { 1 };
        let same = history.newest_first().take(compared).eq(expected.rev().take(compared));
        Broken::unless(same, || {
            let newest = history.newest_first().next();
            format!("the history, whose newest is {newest:?}")
        })
    }
}
