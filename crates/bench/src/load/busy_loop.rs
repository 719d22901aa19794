//! Keeps the load generator's core awake: on loopback, the sender spends time on waking the receiver's core.

use tokio::task::{JoinSet, yield_now};

/// A task that never sleeps, until it is dropped.
pub(crate) struct BusyLoop {
    _task: JoinSet<()>,
}

impl BusyLoop {
    pub(crate) fn new() -> Self {
        let mut task = JoinSet::new();
        task.spawn(async {
            loop {
                yield_now().await;
            }
        });
        Self { _task: task }
    }
}
