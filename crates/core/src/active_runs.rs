//! Tracks which runner executes which run, from the match until the runner polls again. The list is for the dashboard;
//! no decision uses it. It is bounded in age and size, because a runner may never poll again.

use std::collections::{HashMap, VecDeque};

use crate::ids::{RunId, Runner, RunnerId};
use crate::limits::{MAX_ACTIVE_RUN_AGE, MAX_ACTIVE_RUNS};
use crate::pool::{PollId, PoolKey};
use crate::time::Moment;

/// A run and the runner that executes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveRun {
    /// The runner.
    pub runner: Runner,
    /// The pool that the runner was selected from.
    pub key: PoolKey,
    /// The run.
    pub run: RunId,
    /// When the execution began.
    pub since: Moment,
}

/// The runners that were selected and have not polled since. Runners whose offer ended warm are active. The others are
/// tracked too, because their offer may still end warm.
#[derive(Debug, Default)]
pub struct ActiveRuns {
    by_runner: HashMap<RunnerId, Selection>,
    // Ordered by time. Entries of runners that polled again, or were selected again, are stale.
    timeline: VecDeque<TimelineEntry>,
    active: usize,
}

#[derive(Debug)]
struct Selection {
    poll: PollId,
    // Set once the offer has ended warm.
    active_run: Option<ActiveRun>,
}

#[derive(Debug)]
struct TimelineEntry {
    at: Moment,
    runner: RunnerId,
    poll: PollId,
}

impl ActiveRuns {
    /// The number of active runs.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.active
    }

    /// Whether no run is active.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.active == 0
    }

    /// The runner's poll was selected for an offer.
    pub fn poll_selected(&mut self, runner: &RunnerId, poll: PollId, now: Moment) {
        let before = self.by_runner.insert(runner.clone(), Selection { poll, active_run: None });
        self.subtract_active(before);
        self.timeline.push_back(TimelineEntry { at: now, runner: runner.clone(), poll });
        while self.by_runner.len() > MAX_ACTIVE_RUNS {
            self.remove_oldest();
        }
        if self.timeline.len() > 2 * self.by_runner.len() + 64 {
            self.remove_stale();
        }
    }

    /// The offer that the poll was selected for ended warm. Has no effect when the runner has polled since.
    pub fn start(&mut self, poll: PollId, active_run: ActiveRun) {
        if let Some(selection) = self.by_runner.get_mut(&active_run.runner.id)
            && selection.poll == poll
            && selection.active_run.replace(active_run).is_none()
        {
            self.active += 1;
        }
    }

    /// The runner polls again, so its run has ended.
    pub fn finish(&mut self, runner: &RunnerId) {
        let before = self.by_runner.remove(runner);
        self.subtract_active(before);
    }

    /// The runner did not get the run that this poll was selected for.
    pub fn cancel(&mut self, runner: &RunnerId, poll: PollId) {
        if self.is_current(runner, poll) {
            self.finish(runner);
        }
    }

    /// Removes the entries that have reached [`MAX_ACTIVE_RUN_AGE`].
    pub fn remove_expired(&mut self, now: Moment) {
        while self.timeline.front().is_some_and(|entry| now.since(entry.at) >= MAX_ACTIVE_RUN_AGE) {
            self.remove_oldest();
        }
    }

    /// All active runs, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &ActiveRun> {
        self.by_runner.values().filter_map(|selection| selection.active_run.as_ref())
    }

    /// All active runs with the polls that were selected for them, in no particular order.
    pub fn with_poll_ids(&self) -> impl Iterator<Item = (PollId, &ActiveRun)> {
        self.by_runner.values().filter_map(|selection| Some((selection.poll, selection.active_run.as_ref()?)))
    }

    fn remove_oldest(&mut self) {
        if let Some(TimelineEntry { runner, poll, .. }) = self.timeline.pop_front() {
            self.cancel(&runner, poll);
        }
    }

    fn remove_stale(&mut self) {
        let mut timeline = std::mem::take(&mut self.timeline);
        timeline.retain(|entry| self.is_current(&entry.runner, entry.poll));
        self.timeline = timeline;
    }

    fn is_current(&self, runner: &RunnerId, poll: PollId) -> bool {
        self.by_runner.get(runner).is_some_and(|selection| selection.poll == poll)
    }

    fn subtract_active(&mut self, selection: Option<Selection>) {
        self.active -= usize::from(selection.is_some_and(|selection| selection.active_run.is_some()));
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

    fn start(active_runs: &mut ActiveRuns, runner: &str, since_ms: u64) {
        let active_run = active_run(runner, since_ms);
        let poll = PollId::with_sequence(since_ms);
        active_runs.poll_selected(&active_run.runner.id, poll, active_run.since);
        active_runs.start(poll, active_run);
    }

    #[test]
    fn a_run_is_active_until_its_runner_polls_again() {
        let mut active_runs = ActiveRuns::default();
        start(&mut active_runs, "a", 1);
        start(&mut active_runs, "b", 2);
        active_runs.finish(&RunnerId::parse("a").unwrap());
        assert_eq!(active_runs.iter().collect::<Vec<_>>(), [&active_run("b", 2)]);
    }

    #[test]
    fn an_active_run_expires_after_a_day() {
        let day_ms = 24 * 60 * 60 * 1000;
        let mut active_runs = ActiveRuns::default();
        start(&mut active_runs, "a", 0);
        start(&mut active_runs, "b", 5);
        start(&mut active_runs, "a", 7);
        active_runs.remove_expired(Moment::from_millis(day_ms + 5));
        assert_eq!(active_runs.iter().collect::<Vec<_>>(), [&active_run("a", 7)]);
    }

    #[test]
    fn a_busy_runner_does_not_grow_the_timeline() {
        let mut active_runs = ActiveRuns::default();
        for at in 0..10_000 {
            start(&mut active_runs, "a", at);
        }
        assert_eq!(active_runs.len(), 1);
        assert!(active_runs.timeline.len() < 100);
    }
}
