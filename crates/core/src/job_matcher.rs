//! Decides which parked poll is asked to take a job next. It knows the job types of each poll, and about how many jobs
//! of each type are ready. The counts are hints only: the store has the real ones, and several instances may share it.
//! A poll is matched to at most one job at a time. When the store has no job for it, the poll is parked again and the
//! counts are corrected.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::JobType;
use crate::limits::MAX_BACKLOG_COUNT;
use crate::pool::{Order, Poll, PollId, PollTiming, Pools, SelectedPoll};
use crate::time::Moment;

/// The job types of a poll: sorted, without duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TypeSet(Arc<[JobType]>);

impl TypeSet {
    /// A set of these types, which may be in any order.
    #[must_use]
    pub fn new(mut types: Vec<JobType>) -> Self {
        types.sort();
        types.dedup();
        Self(types.into())
    }

    /// The types in the set.
    #[must_use]
    pub fn types(&self) -> &[JobType] {
        &self.0
    }
}

/// A poll that should get a job.
#[derive(Debug)]
pub struct Match<H> {
    /// The poll. It is no longer parked.
    pub selected: SelectedPoll<H, TypeSet>,
    /// Why the poll was selected. Pass it to [`JobMatcher::leased`], [`JobMatcher::missed`] or
    /// [`JobMatcher::not_attempted`].
    pub hint: MatchHint,
}

/// The ready job that a poll was selected for, and how current its count was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchHint {
    job_type: JobType,
    revision: u64,
}

/// Marks when a query of the store's ready counts began, as a revision number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogToken {
    revision: u64,
}

/// The parked polls and the ready counts of all job types.
#[derive(Debug)]
pub struct JobMatcher<H> {
    polls: Pools<H, TypeSet>,
    /// The sets of types that have parked polls, by each of their types.
    sets_by_type: HashMap<JobType, Vec<TypeSet>>,
    ready: HashMap<JobType, ReadyCount>,
    revision: u64,
    is_draining: bool,
}

/// Number of ready jobs of one type that no poll was selected for yet.
#[derive(Debug, Clone, Copy)]
struct ReadyCount {
    jobs: u64,
    /// The revision in which this count last changed.
    revision: u64,
}

impl<H> JobMatcher<H> {
    /// No polls are parked, and no jobs are known.
    #[must_use]
    pub fn new(order: Order) -> Self {
        Self {
            polls: Pools::new(order, PollTiming::NO_TIMEOUT),
            sets_by_type: HashMap::new(),
            ready: HashMap::new(),
            revision: 0,
            is_draining: false,
        }
    }

    /// Number of parked polls.
    #[must_use]
    pub fn len(&self) -> usize {
        self.polls.len()
    }

    /// Whether no poll is parked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.polls.is_empty()
    }

    /// Parks a poll; call [`JobMatcher::next_match`] afterwards.
    ///
    /// # Errors
    /// Returns the poll when the service is stopping.
    pub fn park(&mut self, poll: Poll<H, TypeSet>) -> Result<PollId, Poll<H, TypeSet>> {
        if self.is_draining {
            return Err(poll);
        }
        let set = poll.key.clone();
        if !self.polls.has_selectable(&set) {
            for job_type in set.types() {
                self.sets_by_type.entry(job_type.clone()).or_default().push(set.clone());
            }
        }
        Ok(self.polls.park_additional(poll))
    }

    /// Removes a poll whose connection is closed or whose wait is over. Returns whether it was parked.
    pub fn leave(&mut self, id: PollId) -> bool {
        let left = self.polls.leave(id);
        if let Some(poll) = &left {
            self.remove_set_if_empty(&poll.key);
        }
        left.is_some()
    }

    /// Adds ready jobs of a type; call [`JobMatcher::next_match`] afterwards.
    pub fn add_ready(&mut self, job_type: &JobType, jobs: u64) {
        self.revision += 1;
        let ready = self.ready.entry(job_type.clone()).or_insert(ReadyCount { jobs: 0, revision: 0 });
        *ready = ReadyCount { jobs: ready.jobs.saturating_add(jobs), revision: self.revision };
    }

    /// Call it before querying the store's ready counts, and pass it to [`JobMatcher::set_backlog`] with the result.
    #[must_use]
    pub const fn backlog_token(&self) -> BacklogToken {
        BacklogToken { revision: self.revision }
    }

    /// Replaces the ready counts by the store's, which are complete. A count of [`MAX_BACKLOG_COUNT`] or more becomes
    /// unlimited: matches do not use it up, and it ends with a miss or with the next query of the counts. Counts that
    /// changed after the token was created are kept, unless the store's count is higher.
    pub fn set_backlog(&mut self, token: BacklogToken, ready: Vec<(JobType, u64)>) {
        self.ready.retain(|_, ready| ready.revision > token.revision);
        // A poll that was selected earlier may have missed jobs that are counted now.
        self.revision += 1;
        for (job_type, jobs) in ready {
            let jobs = if jobs < MAX_BACKLOG_COUNT { jobs } else { u64::MAX };
            let known = self.ready.entry(job_type).or_insert(ReadyCount { jobs: 0, revision: self.revision });
            *known = ReadyCount { jobs: known.jobs.max(jobs), revision: self.revision };
        }
    }

    /// Selects the next poll for a job of one of these types. Call it until it returns `None`.
    pub fn next_match<'a>(
        &mut self,
        types: impl IntoIterator<Item = &'a JobType>,
        now: Moment,
    ) -> Option<Match<H>> {
        types.into_iter().find_map(|job_type| self.match_type(job_type, now))
    }

    /// The types that may have ready jobs.
    #[must_use]
    pub fn ready_types(&self) -> Vec<JobType> {
        self.ready.keys().cloned().collect()
    }

    fn match_type(&mut self, job_type: &JobType, now: Moment) -> Option<Match<H>> {
        self.ready.get(job_type)?;
        let sets = self.sets_by_type.get(job_type)?;
        let selected = self.polls.select_among(sets, now)?;
        self.remove_set_if_empty(&selected.poll.key);
        let hint = MatchHint { job_type: job_type.clone(), revision: self.revision };
        self.decrement_ready(job_type);
        Some(Match { selected, hint })
    }

    /// The store leased a job of this type to the poll.
    pub fn leased(&mut self, hint: &MatchHint, job_type: &JobType) {
        if hint.job_type != *job_type {
            self.decrement_ready(job_type);
            self.add_ready(&hint.job_type, 1);
        }
    }

    /// The store had no job for the poll.
    pub fn missed(&mut self, hint: &MatchHint, types: &TypeSet) {
        for job_type in types.types() {
            // Jobs that became ready after the poll was selected may not have been visible to it.
            if self.ready.get(job_type).is_some_and(|ready| ready.revision <= hint.revision) {
                self.ready.remove(job_type);
            }
        }
    }

    /// The poll could not be used, so the store was not queried.
    pub fn not_attempted(&mut self, hint: &MatchHint) {
        self.add_ready(&hint.job_type, 1);
    }

    /// Begins the shutdown: no further poll is parked, and all parked polls are returned.
    pub fn drain(&mut self) -> Vec<Poll<H, TypeSet>> {
        self.is_draining = true;
        self.sets_by_type.clear();
        self.polls.remove_where(|_| true)
    }

    fn decrement_ready(&mut self, job_type: &JobType) {
        if let Some(ready) = self.ready.get_mut(job_type) {
            ready.jobs = ready.jobs.saturating_sub(1);
            if ready.jobs == 0 {
                self.ready.remove(job_type);
            }
        }
    }

    fn remove_set_if_empty(&mut self, set: &TypeSet) {
        if self.polls.has_selectable(set) {
            return;
        }
        for job_type in set.types() {
            if let Some(sets) = self.sets_by_type.get_mut(job_type) {
                sets.retain(|other| other != set);
                if sets.is_empty() {
                    self.sets_by_type.remove(job_type);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Runner, RunnerId, WorkerName};

    fn job_type(name: &str) -> JobType {
        JobType::parse(name).unwrap()
    }

    fn set(names: &[&str]) -> TypeSet {
        TypeSet::new(names.iter().map(|name| job_type(name)).collect())
    }

    fn matcher() -> JobMatcher<()> {
        JobMatcher::new(Order::Newest)
    }

    fn park(matcher: &mut JobMatcher<()>, runner: &str, types: &[&str]) -> PollId {
        let (id, worker) = (RunnerId::parse(runner).unwrap(), WorkerName::parse("w").unwrap());
        let poll = Poll {
            key: set(types),
            runner: Runner { id, worker },
            parked_at: Moment::from_millis(0),
            handle: (),
        };
        matcher.park(poll).unwrap()
    }

    fn next_match(matcher: &mut JobMatcher<()>, types: &[&str]) -> Option<(String, MatchHint)> {
        let types: Vec<_> = types.iter().map(|name| job_type(name)).collect();
        let found = matcher.next_match(&types, Moment::from_millis(1))?;
        Some((found.selected.poll.runner.id.to_string(), found.hint))
    }

    fn next_runner(matcher: &mut JobMatcher<()>, types: &[&str]) -> Option<String> {
        next_match(matcher, types).map(|(runner, _)| runner)
    }

    #[test]
    fn no_poll_is_matched_before_a_job_is_ready() {
        let mut matcher = matcher();
        park(&mut matcher, "a", &["x"]);
        assert_eq!(next_runner(&mut matcher, &["x"]), None);
        matcher.add_ready(&job_type("y"), 1);
        assert_eq!(next_runner(&mut matcher, &["x", "y"]), None);
        matcher.add_ready(&job_type("x"), 1);
        assert_eq!(next_runner(&mut matcher, &["x"]).as_deref(), Some("a"));
        assert!(matcher.is_empty());
    }

    #[test]
    fn one_poll_is_matched_per_ready_job() {
        let mut matcher = matcher();
        for runner in ["a", "b", "c"] {
            park(&mut matcher, runner, &["x"]);
        }
        matcher.add_ready(&job_type("x"), 2);
        assert_eq!(next_runner(&mut matcher, &["x"]).as_deref(), Some("c"));
        assert_eq!(next_runner(&mut matcher, &["x"]).as_deref(), Some("b"));
        assert_eq!(next_runner(&mut matcher, &["x"]), None);
        assert_eq!(matcher.len(), 1);
    }

    #[test]
    fn the_newest_poll_with_the_type_is_matched() {
        let mut matcher = matcher();
        park(&mut matcher, "a", &["x"]);
        park(&mut matcher, "b", &["y", "x"]);
        park(&mut matcher, "c", &["y"]);
        matcher.add_ready(&job_type("x"), 3);
        assert_eq!(next_runner(&mut matcher, &["x"]).as_deref(), Some("b"));
        assert_eq!(next_runner(&mut matcher, &["x"]).as_deref(), Some("a"));
        assert_eq!(next_runner(&mut matcher, &["x"]), None);
    }

    #[test]
    fn a_runner_may_park_several_polls() {
        let mut matcher = matcher();
        park(&mut matcher, "a", &["x"]);
        park(&mut matcher, "a", &["x"]);
        matcher.add_ready(&job_type("x"), 5);
        assert!(next_runner(&mut matcher, &["x"]).is_some() && next_runner(&mut matcher, &["x"]).is_some());
    }

    #[test]
    fn a_miss_removes_the_ready_counts() {
        let mut matcher = matcher();
        park(&mut matcher, "a", &["x", "y"]);
        let token = matcher.backlog_token();
        matcher.set_backlog(token, vec![(job_type("x"), 9), (job_type("y"), 9)]);
        let (_, hint) = next_match(&mut matcher, &["x"]).unwrap();
        matcher.missed(&hint, &set(&["x", "y"]));
        park(&mut matcher, "a", &["x", "y"]);
        assert_eq!(next_runner(&mut matcher, &["x", "y"]), None);
    }

    #[test]
    fn set_backlog_keeps_jobs_added_after_the_token() {
        let mut matcher = matcher();
        matcher.add_ready(&job_type("gone"), 1);
        let token = matcher.backlog_token();
        matcher.add_ready(&job_type("x"), 1);
        matcher.set_backlog(token, vec![(job_type("y"), 1)]);
        for (name, is_matched) in [("x", true), ("y", true), ("gone", false)] {
            park(&mut matcher, "a", &[name]);
            assert_eq!(next_runner(&mut matcher, &[name]).is_some(), is_matched, "{name}");
        }
    }

    #[test]
    fn a_miss_keeps_jobs_added_after_the_match() {
        let mut matcher = matcher();
        park(&mut matcher, "a", &["x"]);
        matcher.add_ready(&job_type("x"), 1);
        let (_, hint) = next_match(&mut matcher, &["x"]).unwrap();
        matcher.add_ready(&job_type("x"), 1);
        matcher.missed(&hint, &set(&["x"]));
        park(&mut matcher, "a", &["x"]);
        assert!(next_runner(&mut matcher, &["x"]).is_some());
    }

    #[test]
    fn a_lease_of_another_type_restores_the_first_count() {
        let mut matcher = matcher();
        park(&mut matcher, "a", &["x", "y"]);
        matcher.add_ready(&job_type("x"), 1);
        matcher.add_ready(&job_type("y"), 1);
        let (_, hint) = next_match(&mut matcher, &["x"]).unwrap();
        matcher.leased(&hint, &job_type("y"));
        park(&mut matcher, "b", &["x", "y"]);
        assert_eq!(next_runner(&mut matcher, &["y"]), None);
        assert_eq!(next_runner(&mut matcher, &["x"]).as_deref(), Some("b"));
    }

    #[test]
    fn a_poll_that_left_is_not_matched() {
        let mut matcher = matcher();
        let id = park(&mut matcher, "a", &["x"]);
        matcher.add_ready(&job_type("x"), 1);
        assert!(matcher.leave(id));
        assert!(!matcher.leave(id));
        assert_eq!(next_runner(&mut matcher, &["x"]), None);
        assert!(matcher.sets_by_type.is_empty());
    }

    #[test]
    fn drain_returns_all_polls() {
        let mut matcher = matcher();
        park(&mut matcher, "a", &["x"]);
        assert_eq!(matcher.drain().len(), 1);
        matcher.add_ready(&job_type("x"), 1);
        assert_eq!(next_runner(&mut matcher, &["x"]), None);
    }
}
