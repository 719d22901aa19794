//! The reconciler of matching: closes polls whose clients did not time out by themselves, and removes active runs
//! whose runner did not come back within a day. Safe to repeat at any time.

use std::sync::Arc;
use std::time::Duration;

use crate::background::TaskResults;
use crate::warm_start::dispatcher::Dispatcher;

/// How often expired polls are closed: precise enough for time-outs of seconds.
const INTERVAL: Duration = Duration::from_millis(100);

impl Dispatcher {
    /// Expires polls and active runs, until dropped.
    pub(crate) async fn expire_polls(self: Arc<Self>, results: TaskResults) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let expired = self.matching().expire(self.clock.now());
            self.metrics.expired_polls.inc_by(expired.len() as u64);
            if !expired.is_empty() {
                results.succeeded(format!("closed {} polls", expired.len()));
            }
        }
    }
}
