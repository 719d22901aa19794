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
    for_type: JobType,
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
    sets: HashMap<JobType, Vec<TypeSet>>,
    ready: HashMap<JobType, Ready>,
    revision: u64,
    is_draining: bool,
}

/// Jobs of one type that nobody was sent for yet.
#[derive(Debug, Clone, Copy)]
struct Ready {
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
            sets: HashMap::new(),
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
        if !self.polls.has(&set) {
            for job_type in set.types() {
                self.sets.entry(job_type.clone()).or_default().push(set.clone());
            }
        }
        Ok(self.polls.park_additional(poll))
    }

    /// A poll's connection is gone, or its time is over. Says whether it waited still.
    pub fn leave(&mut self, id: PollId) -> bool {
        let left = self.polls.leave(id);
        if let Some(poll) = &left {
            self.forget_when_empty(&poll.key);
        }
        left.is_some()
    }

    /// So many more jobs of a type are ready; ask [`JobMatcher::next_match`] then.
    pub fn add_ready(&mut self, job_type: &JobType, jobs: u64) {
        self.revision += 1;
        let ready = self.ready.entry(job_type.clone()).or_insert(Ready { jobs: 0, revision: 0 });
        *ready = Ready { jobs: ready.jobs.saturating_add(jobs), revision: self.revision };
    }

    /// The store is about to be asked how many jobs are ready. To be given back with its answer.
    #[must_use]
    pub const fn backlog_token(&self) -> BacklogToken {
        BacklogToken { revision: self.revision }
    }

    /// How many jobs are ready, counted up to [`MAX_BACKLOG_COUNT`]. That replaces what was believed, but for what was
    /// heard of since the store was asked.
    pub fn set_backlog(&mut self, backlog_token: BacklogToken, ready: Vec<(JobType, u64)>) {
        self.ready.retain(|_, ready| ready.revision > backlog_token.revision);
        // A poll that was sent before may have found nothing of what is told now.
        self.revision += 1;
        for (job_type, jobs) in ready {
            let jobs = if jobs < MAX_BACKLOG_COUNT { jobs } else { u64::MAX };
            let known = self.ready.entry(job_type).or_insert(Ready { jobs: 0, revision: self.revision });
            *known = Ready { jobs: known.jobs.max(jobs), revision: self.revision };
        }
    }

    /// The next poll to send for a job of one of these types; ask until there is none.
    pub fn next_match<'a>(
        &mut self,
        types: impl IntoIterator<Item = &'a JobType>,
        now: Moment,
    ) -> Option<Match<H>> {
        types.into_iter().find_map(|job_type| self.send(job_type, now))
    }

    /// The types of which jobs may be ready.
    #[must_use]
    pub fn ready_types(&self) -> Vec<JobType> {
        self.ready.keys().cloned().collect()
    }

    fn send(&mut self, job_type: &JobType, now: Moment) -> Option<Match<H>> {
        self.ready.get(job_type)?;
        let sets = self.sets.get(job_type)?;
        let selected = self.polls.select_among(sets, now)?;
        self.forget_when_empty(&selected.poll.key);
        let hint = MatchHint { for_type: job_type.clone(), revision: self.revision };
        self.fewer(job_type);
        Some(Match { selected, hint })
    }

    /// The store had a job for the poll, of this type.
    pub fn found(&mut self, hint: &MatchHint, job_type: &JobType) {
        if hint.for_type != *job_type {
            self.fewer(job_type);
            self.add_ready(&hint.for_type, 1);
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
        self.add_ready(&hint.for_type, 1);
    }

    /// The service stops: nobody waits any more, and all who wait are returned.
    pub fn drain(&mut self) -> Vec<Poll<H, TypeSet>> {
        self.is_draining = true;
        self.sets.clear();
        self.polls.remove_where(|_| true)
    }

    fn fewer(&mut self, job_type: &JobType) {
        if let Some(ready) = self.ready.get_mut(job_type) {
            ready.jobs = ready.jobs.saturating_sub(1);
            if ready.jobs == 0 {
                self.ready.remove(job_type);
            }
        }
    }

    fn forget_when_empty(&mut self, set: &TypeSet) {
        if self.polls.has(set) {
            return;
        }
        for job_type in set.types() {
            if let Some(sets) = self.sets.get_mut(job_type) {
                sets.retain(|other| other != set);
                if sets.is_empty() {
                    self.sets.remove(job_type);
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

    fn line() -> JobMatcher<()> {
        JobMatcher::new(Order::Newest)
    }

    fn park(line: &mut JobMatcher<()>, runner: &str, types: &[&str]) -> PollId {
        let (id, worker) = (RunnerId::parse(runner).unwrap(), WorkerName::parse("w").unwrap());
        let poll = Poll {
            key: set(types),
            runner: Runner { id, worker },
            parked_at: Moment::from_millis(0),
            handle: (),
        };
        line.park(poll).unwrap()
    }

    fn sent(line: &mut JobMatcher<()>, types: &[&str]) -> Option<(String, MatchHint)> {
        let types: Vec<_> = types.iter().map(|name| job_type(name)).collect();
        let sent = line.next_match(&types, Moment::from_millis(1))?;
        Some((sent.selected.poll.runner.id.to_string(), sent.hint))
    }

    fn runner(line: &mut JobMatcher<()>, types: &[&str]) -> Option<String> {
        sent(line, types).map(|(runner, _)| runner)
    }

    #[test]
    fn nobody_is_sent_before_a_job_is_ready() {
        let mut line = line();
        park(&mut line, "a", &["x"]);
        assert_eq!(runner(&mut line, &["x"]), None);
        line.add_ready(&job_type("y"), 1);
        assert_eq!(runner(&mut line, &["x", "y"]), None);
        line.add_ready(&job_type("x"), 1);
        assert_eq!(runner(&mut line, &["x"]).as_deref(), Some("a"));
        assert!(line.is_empty());
    }

    #[test]
    fn one_poll_is_sent_for_each_ready_job() {
        let mut line = line();
        for runner in ["a", "b", "c"] {
            park(&mut line, runner, &["x"]);
        }
        line.add_ready(&job_type("x"), 2);
        assert_eq!(runner(&mut line, &["x"]).as_deref(), Some("c"));
        assert_eq!(runner(&mut line, &["x"]).as_deref(), Some("b"));
        assert_eq!(runner(&mut line, &["x"]), None);
        assert_eq!(line.len(), 1);
    }

    #[test]
    fn the_newest_of_all_polls_that_asked_for_the_type_is_sent() {
        let mut line = line();
        park(&mut line, "a", &["x"]);
        park(&mut line, "b", &["y", "x"]);
        park(&mut line, "c", &["y"]);
        line.add_ready(&job_type("x"), 3);
        assert_eq!(runner(&mut line, &["x"]).as_deref(), Some("b"));
        assert_eq!(runner(&mut line, &["x"]).as_deref(), Some("a"));
        assert_eq!(runner(&mut line, &["x"]), None);
    }

    #[test]
    fn a_runner_may_wait_with_several_polls() {
        let mut line = line();
        park(&mut line, "a", &["x"]);
        park(&mut line, "a", &["x"]);
        line.add_ready(&job_type("x"), 5);
        assert!(runner(&mut line, &["x"]).is_some() && runner(&mut line, &["x"]).is_some());
    }

    #[test]
    fn a_poll_that_found_nothing_corrects_the_belief() {
        let mut line = line();
        park(&mut line, "a", &["x", "y"]);
        let backlog_token = line.backlog_token();
        line.set_backlog(backlog_token, vec![(job_type("x"), 9), (job_type("y"), 9)]);
        let (_, hint) = sent(&mut line, &["x"]).unwrap();
        line.missed(&hint, &set(&["x", "y"]));
        park(&mut line, "a", &["x", "y"]);
        assert_eq!(runner(&mut line, &["x", "y"]), None);
    }

    #[test]
    fn what_is_heard_while_the_store_is_asked_is_not_forgotten() {
        let mut line = line();
        line.add_ready(&job_type("gone"), 1);
        let backlog_token = line.backlog_token();
        line.add_ready(&job_type("x"), 1);
        line.set_backlog(backlog_token, vec![(job_type("y"), 1)]);
        for (name, is_sent) in [("x", true), ("y", true), ("gone", false)] {
            park(&mut line, "a", &[name]);
            assert_eq!(runner(&mut line, &[name]).is_some(), is_sent, "{name}");
        }
    }

    #[test]
    fn a_job_that_becomes_ready_meanwhile_is_not_forgotten() {
        let mut line = line();
        park(&mut line, "a", &["x"]);
        line.add_ready(&job_type("x"), 1);
        let (_, hint) = sent(&mut line, &["x"]).unwrap();
        line.add_ready(&job_type("x"), 1);
        line.missed(&hint, &set(&["x"]));
        park(&mut line, "a", &["x"]);
        assert!(runner(&mut line, &["x"]).is_some());
    }

    #[test]
    fn a_poll_that_found_a_job_of_another_type_leaves_the_first_to_others() {
        let mut line = line();
        park(&mut line, "a", &["x", "y"]);
        line.add_ready(&job_type("x"), 1);
        line.add_ready(&job_type("y"), 1);
        let (_, hint) = sent(&mut line, &["x"]).unwrap();
        line.found(&hint, &job_type("y"));
        park(&mut line, "b", &["x", "y"]);
        assert_eq!(runner(&mut line, &["y"]), None);
        assert_eq!(runner(&mut line, &["x"]).as_deref(), Some("b"));
    }

    #[test]
    fn a_poll_that_left_is_not_sent_and_leaves_nothing_behind() {
        let mut line = line();
        let id = park(&mut line, "a", &["x"]);
        line.add_ready(&job_type("x"), 1);
        assert!(line.leave(id));
        assert!(!line.leave(id));
        assert_eq!(runner(&mut line, &["x"]), None);
        assert!(line.sets.is_empty());
    }

    #[test]
    fn nobody_waits_while_it_stops() {
        let mut line = line();
        park(&mut line, "a", &["x"]);
        assert_eq!(line.drain().len(), 1);
        line.add_ready(&job_type("x"), 1);
        assert_eq!(runner(&mut line, &["x"]), None);
    }
}
