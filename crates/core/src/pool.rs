//! Decides who waits and who is next. A poll is in at most one pool, is chosen at most once, and rests in the
//! last part of its client's own time-out. It never looks at a poll's handle, which belongs to the acting code.
//!
//! Every operation is O(1), whatever the number of polls: polls are linked by pool (who is next) and by the
//! time they parked (who rests, who is let go). One time-out holds for all polls, so the order of parking is
//! the order of every deadline.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use slab::Slab;

use crate::ids::{Amount, DeploymentId, Runner, RunnerId, Version};
use crate::limits::{MAX_POLL_GUARD, POLL_EXPIRY_GRACE, POLL_GUARD_DIVISOR};
use crate::time::Moment;

mod list;

use list::{Linked, Links, List};

/// What a run and a poll must have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PoolKey {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its version.
    pub version: Version,
    /// The machine's processors.
    pub cpu: Amount,
    /// The machine's memory in GB.
    pub memory: Amount,
}

/// Which poll of a pool is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// The newest: the oldest is the likeliest to be dead, and surplus runners can retire.
    Newest,
    /// The oldest.
    Oldest,
}

/// When a poll is chosen no more, and when it is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollTiming {
    selectable_for: Duration,
    expires_after: Duration,
}

impl PollTiming {
    /// The timing for clients that wait until they are answered: their polls are choosable for ever.
    pub const NO_TIMEOUT: Self = Self { selectable_for: Duration::MAX, expires_after: Duration::MAX };

    /// The timing for clients that give up by themselves after `connection_timeout`.
    #[must_use]
    pub fn for_clients(connection_timeout: Duration) -> Self {
        let guard = MAX_POLL_GUARD.min(connection_timeout / POLL_GUARD_DIVISOR);
        Self {
            selectable_for: connection_timeout.saturating_sub(guard),
            expires_after: connection_timeout.saturating_add(POLL_EXPIRY_GRACE),
        }
    }
}

/// Names one poll, for ever: a later poll in the same place has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PollId {
    slot: usize,
    sequence: u64,
}

impl PollId {
    /// A number that no other poll has or will have; later polls have higher ones.
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

/// A parked poll, and what the acting code needs to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll<H, K = PoolKey> {
    /// Which runs fit it.
    pub key: K,
    /// Who polls.
    pub runner: Runner,
    /// Since when.
    pub parked_at: Moment,
    /// The acting code's own.
    pub handle: H,
}

/// A poll that was taken out of its pool to have a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedPoll<H, K = PoolKey> {
    /// Names the poll, and so this choice: a poll is chosen once.
    pub id: PollId,
    /// The poll.
    pub poll: Poll<H, K>,
}

/// All parked polls. `K` is what a poll and its runs have in common: a [`PoolKey`], or the job types it asked for.
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

/// The choosable polls of one key; gone with the last of them.
#[derive(Debug)]
struct Pool<K> {
    key: K,
    polls: List,
}

#[derive(Debug)]
struct Parked<H, K> {
    poll: Poll<H, K>,
    // Means nothing once it rests.
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
    /// No polls yet.
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

    /// Polls parked, resting ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.polls.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.polls.is_empty()
    }

    /// Parks a poll. The same runner's older poll leaves and is returned: its client has given it up.
    pub fn park(&mut self, poll: Poll<H, K>) -> (PollId, Option<Poll<H, K>>) {
        let replaced = self.by_runner.get(&poll.runner.id).copied().map(|slot| self.remove(slot));
        let runner = poll.runner.id.clone();
        let id = self.park_additional(poll);
        self.by_runner.insert(runner, id.slot);
        (id, replaced)
    }

    /// Parks a poll beside the same runner's others: one that executes several runs at a time polls for each.
    pub fn park_additional(&mut self, poll: Poll<H, K>) -> PollId {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        PollId { slot: self.insert(poll, sequence), sequence }
    }

    /// Whether this runner has a poll here.
    #[must_use]
    pub fn has_runner(&self, runner: &RunnerId) -> bool {
        self.by_runner.contains_key(runner)
    }

    /// Takes a poll out, whatever its state; `None` when it is not parked any more.
    pub fn leave(&mut self, id: PollId) -> Option<Poll<H, K>> {
        let parked = self.polls.get(id.slot)?;
        (parked.sequence == id.sequence).then(|| self.remove(id.slot))
    }

    /// Takes the next poll of a pool out; `None` when none may be chosen.
    pub fn select(&mut self, key: &K, now: Moment) -> Option<SelectedPoll<H, K>> {
        self.make_unselectable(now);
        let slot = self.next_in_pool(key)?;
        Some(self.remove_selected(slot))
    }

    /// Takes the next poll of several pools out; `None` when none may be chosen.
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

    /// Whether a pool holds a choosable poll.
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

    /// Takes out a poll whose client should have given up long ago; ask until there is none.
    pub fn pop_expired(&mut self, now: Moment) -> Option<Poll<H, K>> {
        self.make_unselectable(now);
        let slot = self.unselectable.first()?;
        let age = now.since(self.polls[slot].poll.parked_at);
        (age >= self.timing.expires_after).then(|| self.remove(slot))
    }

    /// Takes out every poll that `predicate` says so of.
    pub fn remove_where(&mut self, mut predicate: impl FnMut(&Poll<H, K>) -> bool) -> Vec<Poll<H, K>> {
        let slots: Vec<usize> =
            self.polls.iter().filter(|(_, parked)| predicate(&parked.poll)).map(|(slot, _)| slot).collect();
        slots.into_iter().map(|slot| self.remove(slot)).collect()
    }

    /// The polls from the longest waiting to the newest.
    pub fn oldest_first(&self) -> impl Iterator<Item = &Poll<H, K>> {
        self.iter_from(self.unselectable.first()).chain(self.iter_from(self.selectable.first()))
    }

    /// Who waits, in no order: what can be told of many polls in a short time.
    pub fn ids(&self) -> impl Iterator<Item = PollId> {
        self.polls.iter().map(|(slot, parked)| PollId { slot, sequence: parked.sequence })
    }

    /// A poll, while it waits.
    #[must_use]
    pub fn get(&self, id: PollId) -> Option<&Poll<H, K>> {
        let parked = self.polls.get(id.slot)?;
        (parked.sequence == id.sequence).then_some(&parked.poll)
    }

    /// The keys of all pools that hold a choosable poll.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.by_key.keys()
    }

    fn iter_from(&self, first: Option<usize>) -> impl Iterator<Item = &Poll<H, K>> {
        std::iter::successors(first, |slot| self.polls[*slot].by_time.next())
            .map(|slot| &self.polls[slot].poll)
    }

    fn insert(&mut self, mut poll: Poll<H, K>, sequence: u64) -> usize {
        let pool = self.pool_for(&poll.key);
        // Equal, and shared: what remembers it later holds no copy of its own.
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

    /// Polls whose guard began leave their pool and wait on, unchoosable.
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
