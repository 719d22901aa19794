//! Remembers which runner executes which run: from its match until it polls again, bounded in age and number,
//! because a runner may never come back. For people; nothing is decided by it.

use std::collections::{HashMap, VecDeque};

use crate::ids::{RunId, Runner, RunnerId};
use crate::limits::{MAX_ACTIVE_RUN_AGE, MAX_ACTIVE_RUNS};
use crate::pool::{PollId, PoolKey};
use crate::time::Moment;

/// A runner at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveRun {
    /// Who executes.
    pub runner: Runner,
    /// What fits it.
    pub key: PoolKey,
    /// The run it has.
    pub run: RunId,
    /// Since when.
    pub since: Moment,
}

/// All runners that were chosen and have not polled since. Those whose offer ended warm execute; the others are
/// kept because their offer may still end so.
#[derive(Debug, Default)]
pub struct ActiveRuns {
    by_runner: HashMap<RunnerId, Chosen>,
    // In order of time; entries of runners that polled again or were chosen again are stale.
    by_time: VecDeque<Choice>,
    executing: usize,
}

#[derive(Debug)]
struct Chosen {
    poll: PollId,
    // Once the offer has ended warm.
    active_run: Option<ActiveRun>,
}

#[derive(Debug)]
struct Choice {
    at: Moment,
    runner: RunnerId,
    poll: PollId,
}

impl ActiveRuns {
    /// Runners at work.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.executing
    }

    /// Whether nobody works.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.executing == 0
    }

    /// This poll of this runner is chosen.
    pub fn chosen(&mut self, runner: &RunnerId, poll: PollId, now: Moment) {
        let before = self.by_runner.insert(runner.clone(), Chosen { poll, active_run: None });
        self.count_out(before);
        self.by_time.push_back(Choice { at: now, runner: runner.clone(), poll });
        while self.by_runner.len() > MAX_ACTIVE_RUNS {
            self.forget_oldest();
        }
        if self.by_time.len() > 2 * self.by_runner.len() + 64 {
            self.drop_stale();
        }
    }

    /// The offer for which the poll was chosen ended warm. Nothing changes when the runner has polled since.
    pub fn begin(&mut self, poll: PollId, active_run: ActiveRun) {
        if let Some(chosen) = self.by_runner.get_mut(&active_run.runner.id)
            && chosen.poll == poll
            && chosen.active_run.replace(active_run).is_none()
        {
            self.executing += 1;
        }
    }

    /// The runner polls again.
    pub fn end(&mut self, runner: &RunnerId) {
        let before = self.by_runner.remove(runner);
        self.count_out(before);
    }

    /// The runner does not have the run that this poll was chosen for after all.
    pub fn withdraw(&mut self, runner: &RunnerId, poll: PollId) {
        if self.is_current(runner, poll) {
            self.end(runner);
        }
    }

    /// Forgets those that began too long ago.
    pub fn forget_old(&mut self, now: Moment) {
        while self.by_time.front().is_some_and(|choice| now.since(choice.at) >= MAX_ACTIVE_RUN_AGE) {
            self.forget_oldest();
        }
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &ActiveRun> {
        self.by_runner.values().filter_map(|chosen| chosen.active_run.as_ref())
    }

    /// All of them with the polls they were chosen by, in no order.
    pub fn with_poll_ids(&self) -> impl Iterator<Item = (PollId, &ActiveRun)> {
        self.by_runner.values().filter_map(|chosen| Some((chosen.poll, chosen.active_run.as_ref()?)))
    }

    fn forget_oldest(&mut self) {
        if let Some(Choice { runner, poll, .. }) = self.by_time.pop_front() {
            self.withdraw(&runner, poll);
        }
    }

    fn drop_stale(&mut self) {
        let mut by_time = std::mem::take(&mut self.by_time);
        by_time.retain(|choice| self.is_current(&choice.runner, choice.poll));
        self.by_time = by_time;
    }

    fn is_current(&self, runner: &RunnerId, poll: PollId) -> bool {
        self.by_runner.get(runner).is_some_and(|chosen| chosen.poll == poll)
    }

    fn count_out(&mut self, chosen: Option<Chosen>) {
        self.executing -= usize::from(chosen.is_some_and(|chosen| chosen.active_run.is_some()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Amount, DeploymentId, Version, WorkerName};

    fn active_run(runner: &str, since_ms: u64) -> ActiveRun {
        ActiveRun {
            runner: Runner {
                id: RunnerId::parse(runner).unwrap(),
                worker: WorkerName::parse("node").unwrap(),
            },
            key: PoolKey {
                deployment: DeploymentId::parse("dep").unwrap(),
                version: Version::parse("1").unwrap(),
                cpu: Amount::ZERO,
                memory: Amount::ZERO,
            },
            run: RunId::parse("run").unwrap(),
            since: Moment::from_millis(since_ms),
        }
    }

    fn begin(executing: &mut ActiveRuns, runner: &str, since_ms: u64) {
        let active_run = active_run(runner, since_ms);
        let poll = PollId::of_ticket(since_ms);
        executing.chosen(&active_run.runner.id, poll, active_run.since);
        executing.begin(poll, active_run);
    }

    #[test]
    fn a_runner_executes_until_it_polls_again() {
        let mut executing = ActiveRuns::default();
        begin(&mut executing, "a", 1);
        begin(&mut executing, "b", 2);
        executing.end(&RunnerId::parse("a").unwrap());
        assert_eq!(executing.iter().collect::<Vec<_>>(), [&active_run("b", 2)]);
    }

    #[test]
    fn a_runner_that_never_comes_back_is_forgotten() {
        let day_ms = 24 * 60 * 60 * 1000;
        let mut executing = ActiveRuns::default();
        begin(&mut executing, "a", 0);
        begin(&mut executing, "b", 5);
        begin(&mut executing, "a", 7);
        executing.forget_old(Moment::from_millis(day_ms + 5));
        assert_eq!(executing.iter().collect::<Vec<_>>(), [&active_run("a", 7)]);
    }

    #[test]
    fn busy_runners_do_not_grow_the_memory() {
        let mut executing = ActiveRuns::default();
        for at in 0..10_000 {
            begin(&mut executing, "a", at);
        }
        assert_eq!(executing.len(), 1);
        assert!(executing.by_time.len() < 100);
    }
}
