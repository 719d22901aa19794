//! The reconciler of matching: lets go of polls whose clients have no time-outs, and forgets runners that never
//! came back. Safe to repeat at any time.

use std::sync::Arc;
use std::time::Duration;

use super::dispatcher::Dispatcher;

/// Fine enough for time-outs of seconds.
const INTERVAL: Duration = Duration::from_millis(100);

impl Dispatcher {
    /// Keeps house until dropped.
    pub async fn expire_polls(self: Arc<Self>) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let expired = self.matching().expire(self.clock.now());
            self.metrics.expired_polls.inc_by(expired.len() as u64);
        }
    }
}
