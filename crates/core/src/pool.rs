//! Decides which polls are parked and which one is selected next. A poll is in at most one pool, is selected at most
//! once, and is not selectable in the last part of its client's own timeout. This module never reads a poll's handle,
//! which belongs to the driver.
//!
//! Every operation is O(1), whatever the number of polls. Polls are linked per pool, to find the next one, and by the
//! time they were parked, to find those that become unselectable or expire. One timeout applies to all polls, so the
//! order of parking is the order of every deadline.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use slab::Slab;

use crate::ids::{Amount, DeploymentId, Runner, RunnerId, Version};
use crate::limits::{MAX_POLL_GUARD, POLL_EXPIRY_GRACE, POLL_GUARD_DIVISOR};
use crate::time::Moment;

mod list;

use list::{Linked, Links, List};

/// What a run and a poll must have in common to match.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The deployment's version.
    pub version: Version,
    /// The machine's number of processors.
    pub cpu: Amount,
    /// The machine's memory in GB.
    pub memory: Amount,
}

/// Which poll of a pool is selected next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// The newest poll: the oldest is the most likely to be dead, and surplus runners can exit.
    Newest,
    /// The oldest poll.
    Oldest,
}

/// When a poll becomes unselectable, and when it expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollTiming {
    selectable_for: Duration,
    expires_after: Duration,
}

impl PollTiming {
    /// For clients that wait until they are answered: their polls are always selectable.
    pub const NO_TIMEOUT: Self = Self { selectable_for: Duration::MAX, expires_after: Duration::MAX };

    /// For clients that close their poll themselves after `connection_timeout`.
    #[must_use]
    pub fn for_clients(connection_timeout: Duration) -> Self {
        let guard = MAX_POLL_GUARD.min(connection_timeout / POLL_GUARD_DIVISOR);
        Self {
            selectable_for: connection_timeout.saturating_sub(guard),
            expires_after: connection_timeout.saturating_add(POLL_EXPIRY_GRACE),
        }
    }
}

/// Identifies one poll and is never reused: a later poll in the same slot has another id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PollId {
    slot: usize,
    sequence: u64,
}

impl PollId {
    /// The number of the poll. No other poll has it; later polls have higher numbers.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.sequence
    }
}

#[cfg(test)]
impl PollId {
    pub(crate) const fn with_sequence(sequence: u64) -> Self {
        Self { slot: 0, sequence }
    }
}

/// A parked poll, and what the driver needs to answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll<H, K = PoolKey> {
    /// Which runs match the poll.
    pub key: K,
    /// The runner that polls.
    pub runner: Runner,
    /// When the poll was parked.
    pub parked_at: Moment,
    /// The driver's own data.
    pub handle: H,
}

/// A poll that was selected for a run and removed from its pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedPoll<H, K = PoolKey> {
    /// The id of the poll, and so of this selection: a poll is selected once.
    pub id: PollId,
    /// The poll.
    pub poll: Poll<H, K>,
}

/// All parked polls. `K` is what a poll and its runs have in common: a [`PoolKey`], or a set of job types.
#[derive(Debug)]
pub struct Pools<H, K = PoolKey> {
    order: Order,
    timing: PollTiming,
    polls: Slab<Parked<H, K>>,
    pools: Slab<Pool<K>>,
    by_key: HashMap<K, usize>,
    by_runner: HashMap<RunnerId, usize>,
    selectable: List,
    unselectable: List,
    next_sequence: u64,
}

/// The selectable polls of one key. The pool is removed with its last poll.
#[derive(Debug)]
struct Pool<K> {
    key: K,
    polls: List,
}

#[derive(Debug)]
struct Parked<H, K> {
    poll: Poll<H, K>,
    // Not valid once the poll is unselectable.
    pool: usize,
    sequence: u64,
    is_unselectable: bool,
    by_pool: Links,
    by_time: Links,
}

const BY_POOL: usize = 0;
const BY_TIME: usize = 1;

impl<H, K> Linked for Slab<Parked<H, K>> {
    fn links(&mut self, slot: usize, which: usize) -> &mut Links {
        let parked = &mut self[slot];
        if which == BY_POOL { &mut parked.by_pool } else { &mut parked.by_time }
    }
}

impl<H, K: Clone + Eq + Hash> Pools<H, K> {
    /// Creates the state without polls.
    #[must_use]
    pub fn new(order: Order, timing: PollTiming) -> Self {
        Self {
            order,
            timing,
            polls: Slab::new(),
            pools: Slab::new(),
            by_key: HashMap::new(),
            by_runner: HashMap::new(),
            selectable: List::new(BY_TIME),
            unselectable: List::new(BY_TIME),
            next_sequence: 0,
        }
    }

    /// Number of parked polls, including unselectable ones.
    #[must_use]
    pub fn len(&self) -> usize {
        self.polls.len()
    }

    /// Whether no poll is parked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.polls.is_empty()
    }

    /// Parks a poll. An older poll of the same runner is removed and returned, because its client has abandoned it.
    pub fn park(&mut self, poll: Poll<H, K>) -> (PollId, Option<Poll<H, K>>) {
        let replaced = self.by_runner.get(&poll.runner.id).copied().map(|slot| self.remove(slot));
        let runner = poll.runner.id.clone();
        let id = self.park_additional(poll);
        self.by_runner.insert(runner, id.slot);
        (id, replaced)
    }

    /// Parks a poll in addition to other polls of the same runner, which polls once for each run that it can execute in
    /// parallel.
    pub fn park_additional(&mut self, poll: Poll<H, K>) -> PollId {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        PollId { slot: self.insert(poll, sequence), sequence }
    }

    /// Whether this runner has a parked poll.
    #[must_use]
    pub fn has_runner(&self, runner: &RunnerId) -> bool {
        self.by_runner.contains_key(runner)
    }

    /// Removes a poll, selectable or not; `None` when it is not parked.
    pub fn leave(&mut self, id: PollId) -> Option<Poll<H, K>> {
        let parked = self.polls.get(id.slot)?;
        (parked.sequence == id.sequence).then(|| self.remove(id.slot))
    }

    /// Selects and removes the next poll of a pool; `None` when none is selectable.
    pub fn select(&mut self, key: &K, now: Moment) -> Option<SelectedPoll<H, K>> {
        self.make_unselectable(now);
        let slot = self.next_in_pool(key)?;
        Some(self.remove_selected(slot))
    }

    /// Selects and removes the next poll of several pools; `None` when none is selectable.
    pub fn select_among<'a>(
        &mut self,
        keys: impl IntoIterator<Item = &'a K>,
        now: Moment,
    ) -> Option<SelectedPoll<H, K>>
    where
        K: 'a,
    {
        self.make_unselectable(now);
        let next = keys.into_iter().filter_map(|key| self.next_in_pool(key));
        let slot = match self.order {
            Order::Newest => next.max_by_key(|slot| self.polls[*slot].sequence),
            Order::Oldest => next.min_by_key(|slot| self.polls[*slot].sequence),
        }?;
        Some(self.remove_selected(slot))
    }

    /// Whether the pool has a selectable poll.
    #[must_use]
    pub fn has_selectable(&self, key: &K) -> bool {
        self.by_key.contains_key(key)
    }

    fn next_in_pool(&self, key: &K) -> Option<usize> {
        let polls = &self.pools[*self.by_key.get(key)?].polls;
        match self.order {
            Order::Newest => polls.last(),
            Order::Oldest => polls.first(),
        }
    }

    fn remove_selected(&mut self, slot: usize) -> SelectedPoll<H, K> {
        let id = PollId { slot, sequence: self.polls[slot].sequence };
        SelectedPoll { id, poll: self.remove(slot) }
    }

    /// Removes and returns an expired poll, whose client should have closed it long ago. Call it until it returns
    /// `None`.
    pub fn pop_expired(&mut self, now: Moment) -> Option<Poll<H, K>> {
        self.make_unselectable(now);
        let slot = self.unselectable.first()?;
        let age = now.since(self.polls[slot].poll.parked_at);
        (age >= self.timing.expires_after).then(|| self.remove(slot))
    }

    /// Removes and returns every poll that matches `predicate`.
    pub fn remove_where(&mut self, mut predicate: impl FnMut(&Poll<H, K>) -> bool) -> Vec<Poll<H, K>> {
        let slots: Vec<usize> =
            self.polls.iter().filter(|(_, parked)| predicate(&parked.poll)).map(|(slot, _)| slot).collect();
        slots.into_iter().map(|slot| self.remove(slot)).collect()
    }

    /// All polls from the oldest to the newest.
    pub fn oldest_first(&self) -> impl Iterator<Item = &Poll<H, K>> {
        self.iter_from(self.unselectable.first()).chain(self.iter_from(self.selectable.first()))
    }

    /// The ids of all polls, in no particular order. It is cheap: many ids are read in a short time.
    pub fn ids(&self) -> impl Iterator<Item = PollId> {
        self.polls.iter().map(|(slot, parked)| PollId { slot, sequence: parked.sequence })
    }

    /// A poll, while it is parked.
    #[must_use]
    pub fn get(&self, id: PollId) -> Option<&Poll<H, K>> {
        let parked = self.polls.get(id.slot)?;
        (parked.sequence == id.sequence).then_some(&parked.poll)
    }

    /// The keys of all pools, which have at least one selectable poll.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.by_key.keys()
    }

    fn iter_from(&self, first: Option<usize>) -> impl Iterator<Item = &Poll<H, K>> {
        std::iter::successors(first, |slot| self.polls[*slot].by_time.next())
            .map(|slot| &self.polls[slot].poll)
    }

    fn insert(&mut self, mut poll: Poll<H, K>, sequence: u64) -> usize {
        let pool = self.pool_for(&poll.key);
        // The clone of the pool's key shares its memory, so later records of the poll need no copy.
        poll.key = self.pools[pool].key.clone();
        let (by_pool, by_time) = (Links::default(), Links::default());
        let slot =
            self.polls.insert(Parked { poll, pool, sequence, is_unselectable: false, by_pool, by_time });
        self.pools[pool].polls.push(&mut self.polls, slot);
        self.selectable.push(&mut self.polls, slot);
        slot
    }

    fn pool_for(&mut self, key: &K) -> usize {
        if let Some(pool) = self.by_key.get(key) {
            return *pool;
        }
        let pool = self.pools.insert(Pool { key: key.clone(), polls: List::new(BY_POOL) });
        self.by_key.insert(key.clone(), pool);
        pool
    }

    fn remove(&mut self, slot: usize) -> Poll<H, K> {
        if self.polls[slot].is_unselectable {
            self.unselectable.unlink(&mut self.polls, slot);
        } else {
            self.remove_from_pool(slot);
            self.selectable.unlink(&mut self.polls, slot);
        }
        let poll = self.polls.remove(slot).poll;
        if self.by_runner.get(&poll.runner.id) == Some(&slot) {
            self.by_runner.remove(&poll.runner.id);
        }
        poll
    }

    fn remove_from_pool(&mut self, slot: usize) {
        let pool = self.polls[slot].pool;
        if self.pools[pool].polls.is_only(slot) {
            self.by_key.remove(&self.pools.remove(pool).key);
        } else {
            self.pools[pool].polls.unlink(&mut self.polls, slot);
        }
    }

    /// Removes the polls whose guard time has begun from their pools; they stay parked, but unselectable.
    fn make_unselectable(&mut self, now: Moment) {
        while let Some(slot) = self.selectable.first()
            && now.since(self.polls[slot].poll.parked_at) >= self.timing.selectable_for
        {
            self.remove_from_pool(slot);
            self.selectable.unlink(&mut self.polls, slot);
            self.polls[slot].is_unselectable = true;
            self.unselectable.push(&mut self.polls, slot);
        }
    }
}

#[cfg(test)]
mod tests;
