//! Remembers which runner executes which run: from its match until it polls again, bounded in age and number,
//! because a runner may never come back. For people; nothing is decided by it.

use std::collections::{HashMap, VecDeque};

use crate::ids::{RunId, Runner, RunnerId};
use crate::limits::{EXECUTING, EXECUTING_FOR};
use crate::pool::PoolKey;
use crate::time::Moment;

/// A runner at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Who executes.
    pub runner: Runner,
    /// What fits it.
    pub key: PoolKey,
    /// The run it has.
    pub run: RunId,
    /// Since when.
    pub since: Moment,
}

/// All runners at work.
#[derive(Debug, Default)]
pub struct Executing {
    by_runner: HashMap<RunnerId, Execution>,
    // In order of time; entries of runners that polled again or have another run by now are stale.
    by_time: VecDeque<(Moment, RunnerId)>,
}

impl Executing {
    /// Runners at work.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_runner.len()
    }

    /// Whether nobody works.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_runner.is_empty()
    }

    /// The runner has a run. An older one than it is known to have changes nothing.
    pub fn begin(&mut self, execution: Execution) {
        let known = self.by_runner.get(&execution.runner.id);
        if known.is_some_and(|known| known.since > execution.since) {
            return;
        }
        self.by_time.push_back((execution.since, execution.runner.id.clone()));
        self.by_runner.insert(execution.runner.id.clone(), execution);
        if self.by_runner.len() > EXECUTING {
            self.forget_oldest();
        }
        if self.by_time.len() > 2 * self.by_runner.len() + 64 {
            self.drop_stale();
        }
    }

    /// The runner polls again.
    pub fn end(&mut self, runner: &RunnerId) {
        self.by_runner.remove(runner);
    }

    /// The runner does not have this run after all.
    pub fn withdraw(&mut self, runner: &RunnerId, run: &RunId) {
        if self.by_runner.get(runner).is_some_and(|execution| execution.run == *run) {
            self.end(runner);
        }
    }

    /// Forgets those that began too long ago.
    pub fn forget_old(&mut self, now: Moment) {
        while self.by_time.front().is_some_and(|(since, _)| now.since(*since) >= EXECUTING_FOR) {
            self.forget_oldest();
        }
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Execution> {
        self.by_runner.values()
    }

    fn forget_oldest(&mut self) {
        while let Some((since, runner)) = self.by_time.pop_front() {
            if self.is_current(since, &runner) {
                self.by_runner.remove(&runner);
                return;
            }
        }
    }

    fn drop_stale(&mut self) {
        let mut by_time = std::mem::take(&mut self.by_time);
        by_time.retain(|(since, runner)| self.is_current(*since, runner));
        self.by_time = by_time;
    }

    fn is_current(&self, since: Moment, runner: &RunnerId) -> bool {
        self.by_runner.get(runner).is_some_and(|execution| execution.since == since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Amount, DeploymentId, Version, WorkerName};

    fn execution(runner: &str, since_ms: u64) -> Execution {
        Execution {
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

    #[test]
    fn a_runner_executes_until_it_polls_again() {
        let mut executing = Executing::default();
        executing.begin(execution("a", 1));
        executing.begin(execution("b", 2));
        executing.end(&RunnerId::parse("a").unwrap());
        assert_eq!(executing.iter().collect::<Vec<_>>(), [&execution("b", 2)]);
    }

    #[test]
    fn a_runner_that_never_comes_back_is_forgotten() {
        let day_ms = 24 * 60 * 60 * 1000;
        let mut executing = Executing::default();
        executing.begin(execution("a", 0));
        executing.begin(execution("b", 5));
        executing.begin(execution("a", 7));
        executing.forget_old(Moment::from_millis(day_ms + 5));
        assert_eq!(executing.iter().collect::<Vec<_>>(), [&execution("a", 7)]);
    }

    #[test]
    fn busy_runners_do_not_grow_the_memory() {
        let mut executing = Executing::default();
        for at in 0..10_000 {
            executing.begin(execution("a", at));
        }
        assert_eq!(executing.len(), 1);
        assert!(executing.by_time.len() < 100);
    }
}
