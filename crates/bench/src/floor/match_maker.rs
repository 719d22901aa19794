//! The parked polls: one mutex around one map. The newest poll is taken first, as in the product.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::tcp::OwnedWriteHalf;

/// A parked poll is only the write half of its connection.
pub(super) type Poll = Arc<OwnedWriteHalf>;

type Pools = HashMap<Box<[u8]>, Vec<Poll>>;

#[derive(Default)]
pub(super) struct MatchMaker {
    pools: Mutex<Pools>,
}

impl MatchMaker {
    pub(super) fn park(&self, key: &[u8], poll: Poll) {
        let mut pools = self.pools();
        match pools.get_mut(key) {
            Some(polls) => polls.push(poll),
            None => drop(pools.insert(key.into(), vec![poll])),
        }
    }

    pub(super) fn take_newest(&self, key: &[u8]) -> Option<Poll> {
        self.pools().get_mut(key)?.pop()
    }

    fn pools(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().expect("no holder of this lock can panic")
    }
}
