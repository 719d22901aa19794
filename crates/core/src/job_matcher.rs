//! Decides which waiting runner is asked to take a job next. It knows which job types each poll asked for, and how
//! many jobs of each type may be ready: a hint, for the truth is the store's, which several instances may share. A
//! poll is sent for a job at most once at a time; when the store has none for it, it waits on, and the hint is
//! corrected.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::JobType;
use crate::limits::MAX_BACKLOG_COUNT;
use crate::pool::{Order, Poll, PollId, PollTiming, Pools, SelectedPoll};
use crate::time::Moment;

/// The job types that a poll asks for: sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TypeSet(Arc<[JobType]>);

impl TypeSet {
    /// These types, in any order.
    #[must_use]
    pub fn new(mut types: Vec<JobType>) -> Self {
        types.sort();
        types.dedup();
        Self(types.into())
    }

    /// The types.
    #[must_use]
    pub fn types(&self) -> &[JobType] {
        &self.0
    }
}

/// A poll that is to have a job.
#[derive(Debug)]
pub struct Match<H> {
    /// The poll, which waits no more.
    pub selected: SelectedPoll<H, TypeSet>,
    /// What made it be chosen; to be given back with what the store had.
    pub hint: MatchHint,
}

/// Why a poll was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchHint {
    job_type: JobType,
    revision: u64,
}

/// That the store was asked, and when, counted in words heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BacklogToken {
    revision: u64,
}

/// Who waits for jobs, and of which types there may be some.
#[derive(Debug)]
pub struct JobMatcher<H> {
    polls: Pools<H, TypeSet>,
    /// The sets of types with polls that wait, by each of their types.
    sets_by_type: HashMap<JobType, Vec<TypeSet>>,
    ready: HashMap<JobType, ReadyCount>,
    revision: u64,
    is_draining: bool,
}

/// Jobs of one type that nobody was sent for yet.
#[derive(Debug, Clone, Copy)]
struct ReadyCount {
    jobs: u64,
    /// When that was last heard, counted in words heard.
    revision: u64,
}

impl<H> JobMatcher<H> {
    /// Nobody waits, and nothing is known of jobs.
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

    /// Polls that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.polls.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.polls.is_empty()
    }

    /// A poll waits from now on; ask [`JobMatcher::next_match`] then. Gives its handle back when the service is stopping.
    ///
    /// # Errors
    /// The poll, which does not wait.
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

    /// A poll's connection is gone, or its time is over. Says whether it waited still.
    pub fn leave(&mut self, id: PollId) -> bool {
        let left = self.polls.leave(id);
        if let Some(poll) = &left {
            self.remove_set_if_empty(&poll.key);
        }
        left.is_some()
    }

    /// So many more jobs of a type are ready; ask [`JobMatcher::next_match`] then.
    pub fn add_ready(&mut self, job_type: &JobType, jobs: u64) {
        self.revision += 1;
        let ready = self.ready.entry(job_type.clone()).or_insert(ReadyCount { jobs: 0, revision: 0 });
        *ready = ReadyCount { jobs: ready.jobs.saturating_add(jobs), revision: self.revision };
    }

    /// The store is about to be asked how many jobs are ready. To be given back with its answer.
    #[must_use]
    pub const fn backlog_token(&self) -> BacklogToken {
        BacklogToken { revision: self.revision }
    }

    /// How many jobs are ready, counted up to [`MAX_BACKLOG_COUNT`]. That replaces what was believed, but for what was
    /// heard of since the store was asked.
    pub fn set_backlog(&mut self, token: BacklogToken, ready: Vec<(JobType, u64)>) {
        self.ready.retain(|_, ready| ready.revision > token.revision);
        // A poll that was sent before may have found nothing of what is told now.
        self.revision += 1;
        for (job_type, jobs) in ready {
            let jobs = if jobs < MAX_BACKLOG_COUNT { jobs } else { u64::MAX };
            let known = self.ready.entry(job_type).or_insert(ReadyCount { jobs: 0, revision: self.revision });
            *known = ReadyCount { jobs: known.jobs.max(jobs), revision: self.revision };
        }
    }

    /// The next poll to send for a job of one of these types; ask until there is none.
    pub fn next_match<'a>(
        &mut self,
        types: impl IntoIterator<Item = &'a JobType>,
        now: Moment,
    ) -> Option<Match<H>> {
        types.into_iter().find_map(|job_type| self.match_type(job_type, now))
    }

    /// The types of which jobs may be ready.
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

    /// The store had a job for the poll, of this type.
    pub fn leased(&mut self, hint: &MatchHint, job_type: &JobType) {
        if hint.job_type != *job_type {
            self.decrement_ready(job_type);
            self.add_ready(&hint.job_type, 1);
        }
    }

    /// The store had nothing for the poll.
    pub fn missed(&mut self, hint: &MatchHint, types: &TypeSet) {
        for job_type in types.types() {
            // What was heard of after the poll was sent may not have been there to be found.
            if self.ready.get(job_type).is_some_and(|ready| ready.revision <= hint.revision) {
                self.ready.remove(job_type);
            }
        }
    }

    /// The poll could not go: nobody was asked.
    pub fn not_attempted(&mut self, hint: &MatchHint) {
        self.add_ready(&hint.job_type, 1);
    }

    /// The service stops: nobody waits any more, and all who wait are returned.
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
