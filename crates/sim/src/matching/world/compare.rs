//! Compares the state of `core` with the state of the model. The whole history is compared only once in a while.

use pilotlight_core::time::Moment;

use super::World;
use crate::matching::fixtures;
use crate::matching::violation::Violation;

/// The whole history is compared once in this many events.
const FULL_COMPARE_INTERVAL: u64 = 1024;

impl World {
    pub(super) fn compare(&self) -> Result<(), Violation> {
        self.compare_parked()?;
        self.compare_pools()?;
        self.compare_runners()?;
        self.compare_active_runs()?;
        self.compare_history()
    }

    fn compare_parked(&self) -> Result<(), Violation> {
        let pools = self.core.pools();
        let expected = self.model.parked();
        Violation::check_same("the number of parked polls", &pools.len(), &expected.len())?;
        Violation::check_same(
            "the number of parked polls, by the invariants",
            &pools.len(),
            &self.invariants.parked_count(),
        )?;
        Violation::check_same("whether no poll is parked", &pools.is_empty(), &expected.is_empty())?;
        let mut listed = pools.oldest_first();
        let are_equal = expected.iter().all(|parked| {
            listed.next().is_some_and(|poll| {
                poll.handle == parked.poll
                    && poll.parked_at == parked.since
                    && fixtures::trailing_number(poll.runner.id.as_str()) == Some(parked.runner.into())
                    && parked.pool.is(&poll.key)
                    && self.invariants.is_parked(poll.handle)
            })
        });
        Violation::check(are_equal && listed.next().is_none(), || {
            let listed: Vec<_> = pools.oldest_first().collect();
            format!("parked polls: core has {listed:?}, the model has {expected:?}")
        })
    }

    fn compare_pools(&self) -> Result<(), Violation> {
        let expected = self.model.selectable_pools();
        let keys: Vec<_> = self.core.pools().keys().collect();
        let same = keys.len() == expected.len()
            && expected.iter().all(|pool| keys.iter().filter(|key| pool.is(key)).count() == 1);
        Violation::check(same, || format!("pools: core has {keys:?}, the model has {expected:?}"))
    }

    /// Compares one runner per event, in turn.
    fn compare_runners(&self) -> Result<(), Violation> {
        let runner = u16::try_from(self.steps % 200).unwrap_or_default();
        let has_poll = self.core.pools().has_runner(&fixtures::runner_id(runner));
        let expected = self.model.parked().iter().any(|parked| parked.runner == runner);
        Violation::check_same("whether a runner has a parked poll", &(runner, has_poll), &(runner, expected))
    }

    fn compare_active_runs(&self) -> Result<(), Violation> {
        type Row = (Option<u32>, Option<u32>, Moment);
        let active_runs = self.core.active_runs();
        let mut core_result: Vec<Row> = active_runs
            .iter()
            .filter(|it| !self.model.may_have_expired(it.since))
            .map(|it| {
                (
                    fixtures::trailing_number(it.runner.id.as_str()),
                    fixtures::trailing_number(it.run.as_str()),
                    it.since,
                )
            })
            .collect();
        let mut expected: Vec<Row> = self
            .model
            .active_runs()
            .iter()
            .filter(|it| !self.model.may_have_expired(it.since))
            .map(|it| {
                (
                    Some(it.runner.into()),
                    fixtures::trailing_number(fixtures::run_id(it.run).as_str()),
                    it.since,
                )
            })
            .collect();
        core_result.sort_unstable();
        expected.sort_unstable();
        Violation::check_same("the active runs", &core_result, &expected)?;
        Violation::check_same("the number of active runs", &active_runs.len(), &active_runs.iter().count())
    }

    fn compare_history(&self) -> Result<(), Violation> {
        let history = self.core.history();
        let expected = self.model.history();
        Violation::check_same("the number of offers in the history", &history.len(), &expected.len())?;
        Violation::check_same("the totals", &history.totals(), &self.model.totals())?;
        let compared = if self.steps.is_multiple_of(FULL_COMPARE_INTERVAL) { usize::MAX } else { 1 };
        let same = history.newest_first().take(compared).eq(expected.rev().take(compared));
        Violation::check(same, || {
            let newest = history.newest_first().next();
            format!("the history differs; the newest offer of core is {newest:?}")
        })
    }
}
