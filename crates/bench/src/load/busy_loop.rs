//! Keeps the core of the load from going to sleep: on loopback whoever sends pays for waking whoever receives.

use tokio::task::{JoinSet, yield_now};

/// Ends when it is dropped.
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
